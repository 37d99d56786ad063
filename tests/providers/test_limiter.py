"""The limiter's law: never more than `most` inside, and no place is ever lost."""

import contextlib

import anyio
import pytest
from anyio.lowlevel import checkpoint
from hypothesis import given
from hypothesis import strategies as st

from refiner.domain.errors import ProviderError
from refiner.providers.limiter import AdaptiveLimiter

pytestmark = pytest.mark.anyio

OVERLOADED = ProviderError("busy", retryable=True, overloaded=True)


async def rounds(limiter: AdaptiveLimiter, number: int, error: Exception | None = None) -> None:
    """So many calls one after the other."""
    for _ in range(number):
        try:
            async with limiter.slot():
                if error:
                    raise error
        except type(error or OVERLOADED):
            assert error


@given(
    most=st.integers(1, 8),
    start=st.integers(1, 8),
    calls=st.lists(st.tuples(st.sampled_from(["ok", "busy", "fails", "cancelled"]), st.integers(0, 5)), max_size=60),
)
async def test_law(most: int, start: int, calls: list[tuple[str, int]]) -> None:
    limiter = AdaptiveLimiter(most, start)
    inside = served = 0

    async def call(how: str, ticks: int) -> None:
        nonlocal inside, served
        async with limiter.slot():
            inside += 1
            served += 1
            assert inside <= most
            try:
                for _ in range(ticks):
                    await checkpoint()
                if how == "busy":
                    raise OVERLOADED
                if how == "fails":
                    raise ZeroDivisionError
            finally:
                inside -= 1

    async def guarded(how: str, ticks: int) -> None:
        with anyio.CancelScope() as scope:
            if how == "cancelled":
                group.start_soon(cancel, scope, ticks)
            try:
                await call(how, ticks)
            except (ProviderError, ZeroDivisionError):
                assert how in ("busy", "fails")

    async def cancel(scope: anyio.CancelScope, ticks: int) -> None:
        for _ in range(ticks):
            await checkpoint()
        scope.cancel()

    async with anyio.create_task_group() as group:
        for how, ticks in calls:
            group.start_soon(guarded, how, ticks)
    assert inside == 0
    assert served >= sum(how != "cancelled" for how, _ in calls)
    assert 1 <= limiter.limit <= most
    with anyio.fail_after(5):  # every place that there is can be had again
        async with anyio.create_task_group() as group:
            together = anyio.Event()
            waiting = 0

            async def meet() -> None:
                nonlocal waiting
                async with limiter.slot():
                    waiting += 1
                    if waiting == places:
                        together.set()
                    await together.wait()

            places = limiter.limit
            for _ in range(places):
                group.start_soon(meet)


async def test_it_starts_slowly_and_doubles_a_round() -> None:
    limiter = AdaptiveLimiter(most=64, start=4)
    assert limiter.limit == 4
    await rounds(limiter, 4)
    assert limiter.limit == 8
    await rounds(limiter, 100)
    assert limiter.limit == 64


async def test_overload_halves_it_and_then_it_grows_by_one_a_round() -> None:
    limiter = AdaptiveLimiter(most=64, start=32)
    await rounds(limiter, 1, OVERLOADED)
    assert limiter.limit == 16
    await rounds(limiter, 17)
    assert limiter.limit == 17
    await rounds(limiter, 20, OVERLOADED)
    assert limiter.limit == 1


async def test_one_burst_of_refusals_halves_it_once() -> None:
    limiter = AdaptiveLimiter(most=16, start=16)
    together = anyio.Event()
    inside = 0

    async def call() -> None:
        nonlocal inside
        with contextlib.suppress(ProviderError):
            async with limiter.slot():
                inside += 1
                if inside == 16:
                    together.set()
                await together.wait()
                raise OVERLOADED

    async with anyio.create_task_group() as group:
        for _ in range(16):
            group.start_soon(call)
    assert limiter.limit == 8


async def test_other_failures_change_nothing() -> None:
    limiter = AdaptiveLimiter(most=8, start=4)
    await rounds(limiter, 5, ProviderError("down", retryable=True))
    assert limiter.limit == 4


async def test_first_come_first_served() -> None:
    limiter = AdaptiveLimiter(most=1)
    order: list[int] = []

    async def call(number: int) -> None:
        async with limiter.slot():
            order.append(number)
            await checkpoint()

    async with anyio.create_task_group() as group:
        for number in range(5000):
            group.start_soon(call, number)
    assert order == list(range(5000))


async def test_calls_a_minute() -> None:
    limiter = AdaptiveLimiter(most=10, start=10, per_minute=3)
    started = 0
    with anyio.move_on_after(0.2):
        for _ in range(5):
            async with limiter.slot():
                started += 1
    assert started == 3


async def test_other_bounds_hold_at_once() -> None:
    limiter, inside = AdaptiveLimiter(1), 0

    async def call() -> None:
        nonlocal inside
        async with limiter.slot():
            inside += 1
            await anyio.sleep_forever()

    async with anyio.create_task_group() as calls:
        for _ in range(5):
            calls.start_soon(call)
        for most, wanted in ((1, 1), (3, 3), (2, 3), (4, 4)):
            limiter.bound(most)
            await anyio.wait_all_tasks_blocked()
            assert inside == wanted
        calls.cancel_scope.cancel()
