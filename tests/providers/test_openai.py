"""What only OpenAI's protocol has: parameters that a model may refuse, and names for the bound of a reply."""

from typing import Any

import httpx2
import pytest

from refiner.domain.calls import Count, Request, Usage
from refiner.domain.errors import ProviderError
from refiner.providers.openai import OpenAIProvider
from tests.providers.asking import KEY, ask, provider, request, unread
from tests.scripted import Outcome, Reply, Scripted, status, unsupported
from tests.scripted.script import Asked

pytestmark = pytest.mark.anyio


class Detour(httpx2.AsyncHTTPTransport):
    """Sends to the scripted server what was meant for OpenAI itself."""

    def __init__(self, scripted: Scripted) -> None:
        super().__init__()
        self._to = httpx2.URL(scripted.url)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        assert request.url.host == "api.openai.com"
        request.url = request.url.copy_with(scheme="http", host=self._to.host, port=self._to.port)
        return await super().handle_async_request(request)


def official(model: str, scripted: Scripted) -> OpenAIProvider:
    client = httpx2.AsyncClient(transport=Detour(scripted))
    return OpenAIProvider(model, name=f"openai:{model}", api_key=KEY, http_client=client)


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("parameter", ["temperature", "seed"])
async def test_a_refused_parameter_is_left_out_from_then_on(scripted: Scripted, parameter: str, streams: bool) -> None:
    scripted.script = unsupported(parameter, lambda _: "fine")
    asked = request(temperature=0.3, seed=7)
    async with provider("openai", scripted) as made:
        assert getattr(await made.capabilities(), parameter)
        first = await made.complete(asked, unread if streams else None)
        second = await made.complete(asked, unread if streams else None)
        assert not getattr(await made.capabilities(), parameter)
    assert first.text == second.text == "fine"
    assert [parameter in request.body for request in scripted.asked] == [True, False, False]
    assert len({"temperature", "seed"} & set(scripted.asked[-1].body)) == 1
    assert [parameter in note for note in first.notes] == ([True] if parameter == "temperature" else [])
    assert first.notes == second.notes


async def test_several_refused_parameters_are_left_out_in_one_attempt(scripted: Scripted) -> None:
    scripted.script = unsupported("temperature", unsupported("seed", unsupported("stream_options", lambda _: "fine")))
    assert (await ask("openai", scripted, request(temperature=0.0, seed=1), streams=True)).text == "fine"
    assert {"temperature", "seed", "stream_options"}.isdisjoint(scripted.asked[-1].body)
    assert len(scripted.asked) == 4


async def test_a_refusal_in_a_validators_words(scripted: Scripted) -> None:
    def script(asked: Asked) -> Outcome:
        if "seed" in asked.body:
            return status(422, "", detail=[{"type": "extra_forbidden", "loc": ["body", "seed"]}])
        return "fine"

    scripted.script = script
    assert (await ask("openai", scripted, request(seed=1))).text == "fine"


async def test_a_server_that_knows_only_the_newer_bound(scripted: Scripted) -> None:
    scripted.script = unsupported("max_tokens", lambda _: "fine")
    await ask("openai", scripted)
    assert [sorted({"max_tokens", "max_completion_tokens"} & set(asked.body)) for asked in scripted.asked] == [
        ["max_tokens"],
        ["max_completion_tokens"],
    ]


async def test_a_reply_is_never_asked_for_without_a_bound(scripted: Scripted) -> None:
    scripted.script = unsupported("max_tokens", unsupported("max_completion_tokens", lambda _: "unbounded"))
    with pytest.raises(ProviderError, match="max_completion_tokens"):
        await ask("openai", scripted)


async def test_a_bad_value_is_not_taken_for_a_refusal(scripted: Scripted) -> None:
    scripted.script = lambda _: status(400, "temperature must be at most 2", param="temperature")
    with pytest.raises(ProviderError, match="at most 2"):
        await ask("openai", scripted, request(temperature=9.0))
    assert len(scripted.asked) == 1


async def test_the_embedded_model_is_free_and_counts_exactly(scripted: Scripted) -> None:
    async def counter(asked: Request) -> Count:
        return Count(len(asked.messages[0].text), exact=True)

    async with provider("openai", scripted, free=True, counter=counter, context_tokens=4096) as made:
        assert await made.count(request("12345")) == Count(5, exact=True)
        assert (await made.capabilities()).context_tokens == 4096
        assert (await made.complete(request())).usage.cost_usd == 0


async def test_a_server_without_a_key(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    made = OpenAIProvider("m", name="m", api_key=None, base_url=scripted.openai)
    await made.complete(request())
    await made.aclose()
    assert KEY not in str(scripted.asked[0].headers)


async def test_reasoning_that_is_only_in_the_total_is_counted(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.scripted import wire

    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 40}
    monkeypatch.setattr(wire.Written, "usage", lambda _: usage)
    assert (await ask("openai", scripted)).usage.output_tokens == 30


async def test_an_error_under_the_status_of_a_success(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.scripted import wire

    monkeypatch.setattr(wire.Written, "plain", lambda _: {"error": {"code": 429, "message": "slow down"}})
    with pytest.raises(ProviderError, match="slow down") as caught:
        await ask("openai", scripted)
    assert caught.value.overloaded


@pytest.mark.parametrize("name", ["max_model_len", "context_length", "context_window", "max_context_length"])
async def test_a_server_is_asked_how_much_its_model_reads(scripted: Scripted, name: str) -> None:
    scripted.models = [{"id": "other", name: 1}, {"id": "m", "object": "model", name: 4096}]
    async with provider("openai", scripted) as made:
        assert (await made.capabilities()).context_tokens == 4096
        scripted.models = []
        assert (await made.capabilities()).context_tokens == 4096


@pytest.mark.parametrize("models", [None, [], [{"id": "m"}], ["m"], [{"id": "m", "max_model_len": "much"}]])
async def test_a_server_that_does_not_say(scripted: Scripted, models: Any) -> None:
    scripted.models = models
    async with provider("openai", scripted) as made:
        assert (await made.capabilities()).context_tokens is None


async def test_the_key_of_a_server_of_its_own_is_named(scripted: Scripted) -> None:
    scripted.script = lambda _: status(401)
    with pytest.raises(ProviderError, match="MINE_API_KEY"):
        await ask("openai", scripted, key_name="MINE_API_KEY")


async def test_a_foreign_host_is_no_openai(scripted: Scripted) -> None:
    async with provider("openai", scripted) as made:
        assert not (await made.capabilities()).prediction
        await made.complete(request(prediction="the same again"))
    assert {"prediction", "service_tier"}.isdisjoint(scripted.asked[0].body)


async def test_predicted_output_has_the_older_bound(scripted: Scripted) -> None:
    made = official("gpt-4o", scripted)
    assert (await made.capabilities()).prediction
    await made.complete(request(prediction="the same again"))
    await made.complete(request())
    await made.aclose()
    predicted, plain = (asked.body for asked in scripted.asked)
    assert predicted["prediction"] == {"type": "content", "content": "the same again"}
    assert predicted["max_tokens"] == plain["max_completion_tokens"] == 100
    assert "max_completion_tokens" not in predicted


async def test_a_reasoning_model_is_asked_without_temperature(scripted: Scripted) -> None:
    made = official("o4-mini", scripted)
    assert not (await made.capabilities()).temperature
    reply = await made.complete(request(temperature=0.0))
    await made.aclose()
    assert "temperature" not in scripted.asked[0].body
    assert reply.notes == ("openai:o4-mini takes no temperature: it was left out",)


async def test_a_model_that_is_known_not_to_reason_is_asked_without_effort(scripted: Scripted) -> None:
    made = official("gpt-4o", scripted)
    assert not (await made.capabilities()).reasoning_effort
    reply = await made.complete(request(reasoning_effort="low"))
    await made.aclose()
    assert "reasoning_effort" not in scripted.asked[0].body
    assert reply.notes == ("openai:gpt-4o takes no reasoning_effort: it was left out",)


async def test_the_price_of_a_reply_is_at_most_what_was_reserved(scripted: Scripted) -> None:
    scripted.script = lambda _: Reply("blue " * 10, cached=3)
    made = official("gpt-4o", scripted)
    reply = await made.complete(request())
    used = reply.usage
    most = made.price(Usage(1, used.input_tokens, 0, used.output_tokens))
    await made.aclose()
    assert used.cost_usd == pytest.approx((2 * 2.5 + 3 * 1.25 + 10 * 10) / 1e6)
    assert (most or 0) > (used.cost_usd or 0)


async def test_what_is_sent_is_what_was_asked(scripted: Scripted) -> None:
    await ask("openai", scripted, request(temperature=0.0, seed=0), streams=True)
    expected: dict[str, Any] = {
        "model": "m",
        "messages": [{"role": "user", "content": "Why is the sky blue?"}],
        "max_tokens": 100,
        "temperature": 0.0,
        "seed": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert scripted.asked[0].body == expected
