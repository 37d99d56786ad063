"""What both providers make of a provider that fails, over real HTTP: which error, and with which flags."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from socket import socket

import pytest

from refiner.domain.errors import (
    AuthError,
    ContextLengthError,
    NotFoundError,
    ProviderError,
    QuotaError,
    RefinerError,
)
from tests.providers.asking import APIS, KEY, Api, ask
from tests.scripted import DROP, HTML, MALFORMED, STALL, Fault, Outcome, Scripted, cut, status, unfinished

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.parametrize("api", APIS),
    pytest.mark.parametrize("streams", [False, True]),
]


@dataclass(frozen=True)
class Flags:
    retryable: bool = True
    billed: bool = False
    overloaded: bool = False


async def failure(
    api: Api, scripted: Scripted, outcome: Outcome, *, streams: bool, timeout: float = 10.0
) -> RefinerError:
    scripted.script = lambda _: outcome
    with pytest.raises(RefinerError) as caught:
        await ask(api, scripted, streams=streams, timeout=timeout)
    text = str(caught.value)
    assert "\n" not in text
    assert KEY not in text
    return caught.value


async def provider_failure(
    api: Api, scripted: Scripted, outcome: Outcome, flags: Flags, *, streams: bool, timeout: float = 10.0
) -> ProviderError:
    error = await failure(api, scripted, outcome, streams=streams, timeout=timeout)
    assert isinstance(error, ProviderError)
    assert Flags(error.retryable, error.billed, error.overloaded) == flags, error
    return error


@pytest.mark.parametrize("code", [408, 409, 500, 502, 503])
async def test_what_may_pass(scripted: Scripted, api: Api, streams: bool, code: int) -> None:
    error = await provider_failure(api, scripted, status(code, "a bad day"), Flags(), streams=streams)
    assert "a bad day" in str(error)
    assert str(code) in str(error)
    assert error.kind == "provider_down"


async def test_overload(scripted: Scripted, api: Api, streams: bool) -> None:
    await provider_failure(api, scripted, status(529), Flags(overloaded=True), streams=streams)


async def test_rate_limit(scripted: Scripted, api: Api, streams: bool) -> None:
    error = await provider_failure(api, scripted, status(429, retry_after=7), Flags(overloaded=True), streams=streams)
    assert isinstance(error, QuotaError)
    assert error.kind == "provider_quota"
    assert error.retry_after == 7


async def test_retry_after_as_a_date(scripted: Scripted, api: Api, streams: bool) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=50), usegmt=True)
    error = await failure(api, scripted, status(503, retry_after=date), streams=streams)
    assert isinstance(error, ProviderError)
    assert error.retry_after is not None
    assert 30 < error.retry_after <= 50


async def test_retry_after_in_milliseconds(scripted: Scripted, api: Api, streams: bool) -> None:
    fault = Fault("status", 429, headers={"retry-after-ms": "1500", "retry-after": "2"})
    error = await failure(api, scripted, fault, streams=streams)
    assert isinstance(error, ProviderError)
    assert error.retry_after == 1.5


@pytest.mark.parametrize(
    "fault",
    [
        status(429, "You exceeded your current quota", type="insufficient_quota", code="insufficient_quota"),
        status(402, "Payment required"),
        status(400, "Your credit balance is too low to access the API", type="invalid_request_error"),
    ],
)
async def test_no_credit_left(scripted: Scripted, api: Api, streams: bool, fault: Fault) -> None:
    error = await provider_failure(api, scripted, fault, Flags(retryable=False), streams=streams)
    assert error.kind == "provider_quota"


@pytest.mark.parametrize("code", [401, 403])
async def test_a_bad_key(scripted: Scripted, api: Api, streams: bool, code: int) -> None:
    said = f"Incorrect API key provided: {KEY[:12]}******cdef or {KEY}"
    error = await provider_failure(api, scripted, status(code, said), Flags(retryable=False), streams=streams)
    assert isinstance(error, AuthError)
    assert f"{api.upper()}_API_KEY" in str(error)
    assert KEY[:8] not in str(error)
    assert KEY[-6:] not in str(error)


async def test_an_unknown_model(scripted: Scripted, api: Api, streams: bool) -> None:
    error = await failure(api, scripted, status(404, "no such model"), streams=streams)
    assert isinstance(error, NotFoundError)
    assert "'m'" in str(error)


@pytest.mark.parametrize(
    ("fault", "length", "limit"),
    [
        (
            status(
                400,
                "This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens.",
                code="context_length_exceeded",
            ),
            9001,
            8192,
        ),
        (
            status(
                400,
                "the request exceeds the available context size, try increasing it",
                code=400,
                type="exceed_context_size_error",
                n_prompt_tokens=5000,
                n_ctx=4096,
            ),
            5000,
            4096,
        ),
        (status(400, "prompt is too long: 210,000 tokens > 200,000 maximum"), 210_000, 200_000),
        (status(413, "Request exceeds the maximum size"), None, None),
    ],
)
async def test_a_prompt_that_is_too_long(
    scripted: Scripted, api: Api, streams: bool, fault: Fault, length: int | None, limit: int | None
) -> None:
    error = await failure(api, scripted, fault, streams=streams)
    assert isinstance(error, ContextLengthError)
    assert (error.length, error.limit) == (length, limit)


@pytest.mark.parametrize("code", [400, 422])
async def test_a_refused_call(scripted: Scripted, api: Api, streams: bool, code: int) -> None:
    said = "messages: first\nmust be \x1b[31muser" + "!" * 1000
    error = await provider_failure(api, scripted, status(code, said), Flags(retryable=False), streams=streams)
    assert "messages: first must be" in str(error)
    assert "\x1b" not in str(error)
    assert len(str(error)) < 400


@pytest.mark.parametrize("fault", [HTML, MALFORMED])
async def test_a_reply_that_is_no_json(scripted: Scripted, api: Api, streams: bool, fault: Fault) -> None:
    error = await provider_failure(api, scripted, fault, Flags(billed=True), streams=streams)
    assert "127.0.0.1" in str(error)


@pytest.mark.parametrize("fault", [cut(), DROP])
async def test_a_connection_that_breaks_off(scripted: Scripted, api: Api, streams: bool, fault: Fault) -> None:
    await provider_failure(api, scripted, fault, Flags(billed=True), streams=streams)


async def test_a_stream_without_its_end(scripted: Scripted, api: Api, streams: bool) -> None:
    await provider_failure(api, scripted, unfinished(), Flags(billed=True), streams=streams)


async def test_an_error_inside_a_stream(scripted: Scripted, api: Api, streams: bool) -> None:
    fault = Fault("error", error={"type": "overloaded_error", "message": "Overloaded"})
    await provider_failure(api, scripted, fault, Flags(billed=True, overloaded=streams), streams=streams)


async def test_a_provider_that_stalls(scripted: Scripted, api: Api, streams: bool) -> None:
    await provider_failure(api, scripted, STALL, Flags(billed=True), streams=streams, timeout=0.2)


async def test_a_provider_that_is_not_there(api: Api, streams: bool) -> None:
    with socket() as taken:
        taken.bind(("127.0.0.1", 0))
        server = Scripted()
        server.url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ProviderError) as caught:
            await ask(api, server, streams=streams)
    error = caught.value
    assert Flags(error.retryable, error.billed, error.overloaded) == Flags()
    assert server.url.removeprefix("http://") in str(error)


async def test_an_attempt_is_one_request(scripted: Scripted, api: Api, streams: bool) -> None:
    await failure(api, scripted, status(500), streams=streams)
    assert len(scripted.asked) == 1
