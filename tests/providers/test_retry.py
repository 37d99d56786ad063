"""The retry layer: what is tried again, how long it waits, when it gives up."""

import anyio
import pytest
from anyio.lowlevel import checkpoint

from refiner.domain.errors import AuthError, ProviderError, QuotaError, RefinerError
from refiner.providers.retry import LONGEST_WAIT, retrying
from tests.providers.asking import APIS, Api, provider, request, unread
from tests.scripted import Fault, Scripted, in_order, status

pytestmark = pytest.mark.anyio


class Clock:
    """Time that passes only where it is waited for."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        await checkpoint()

    @property
    def now(self) -> float:
        return sum(self.waits)


async def tried(clock: Clock, *errors: Exception | None, attempts: int = 8) -> int:
    """How many attempts were made at what fails with these errors in turn, and then with the last."""
    number = 0
    async for attempt in retrying(attempts=attempts, sleep=clock.sleep):
        with attempt:
            error = errors[min(number, len(errors) - 1)]
            number += 1
            if error:
                raise error
    return number


async def test_what_passes_is_tried_until_it_has() -> None:
    clock = Clock()
    down = ProviderError("down", retryable=True)
    assert await tried(clock, down, down, None) == 3
    assert len(clock.waits) == 2


@pytest.mark.parametrize("error", [AuthError("no"), ProviderError("bad"), RefinerError("other"), ZeroDivisionError()])
async def test_what_does_not_pass_is_tried_once(error: Exception) -> None:
    clock = Clock()
    with pytest.raises(type(error)) as caught:
        await tried(clock, error)
    assert caught.value is error
    assert clock.waits == []


async def test_the_last_error_is_raised_as_it_is() -> None:
    clock = Clock()
    first, last = ProviderError("1", retryable=True), ProviderError("2", retryable=True)
    with pytest.raises(ProviderError) as caught:
        await tried(clock, first, last, attempts=5)
    assert caught.value is last
    assert len(clock.waits) == 4


async def test_waits_grow_at_random() -> None:
    runs = []
    for _ in range(200):
        clock = Clock()
        with pytest.raises(ProviderError):
            await tried(clock, ProviderError("down", retryable=True))
        runs.append(clock.waits)
    for place, most in enumerate([1, 2, 4, 8, 16, LONGEST_WAIT, LONGEST_WAIT]):
        waits = [run[place] for run in runs]
        assert 0 <= min(waits) < most / 4
        assert most * 3 / 4 < max(waits) <= most


async def test_what_the_provider_asks_for_is_waited() -> None:
    clock = Clock()
    await tried(clock, ProviderError("busy", retryable=True, retry_after=20), None)
    assert 20 <= clock.now <= 21


@pytest.mark.parametrize("retry_after", [None, 1.0, 20.0, 60.0])
async def test_a_minute_of_refusals_is_outlived(retry_after: float | None) -> None:
    for _ in range(50):
        clock = Clock()
        async for attempt in retrying(sleep=clock.sleep):
            with attempt:
                if clock.now < 60:
                    raise QuotaError("busy", retryable=True, retry_after=retry_after, overloaded=True)
        assert clock.now <= 120


async def test_refusals_without_end_end_in_quota() -> None:
    clock = Clock()
    with pytest.raises(QuotaError):
        await tried(clock, QuotaError("busy", retryable=True, overloaded=True))
    assert 60 < clock.now <= 120


async def test_nobody_waits_for_what_is_too_far_off() -> None:
    clock = Clock()
    with pytest.raises(QuotaError):
        await tried(clock, QuotaError("tomorrow", retryable=True, overloaded=True, retry_after=3600))
    assert clock.waits == []


async def test_cancellation_is_not_retried() -> None:
    tries = 0
    with anyio.move_on_after(0.05) as scope:
        async for attempt in retrying():
            with attempt:
                tries += 1
                await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert tries == 1


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("fault", [status(429, retry_after=3), status(500), Fault("drop")])
async def test_a_real_call_comes_through(scripted: Scripted, api: Api, fault: Fault) -> None:
    scripted.script = in_order(fault, fault, "at last")
    clock = Clock()
    async with provider(api, scripted) as made:
        async for attempt in retrying(sleep=clock.sleep):
            with attempt:
                reply = await made.complete(request(), unread)
    assert reply.text == "at last"
    assert len(scripted.asked) == 3
    assert clock.now >= (6 if fault.status == 429 else 0)
