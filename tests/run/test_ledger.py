"""The ledger's law: what is spent and what is reserved never exceed a limit, whatever runs at once."""

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refiner.domain.calls import Usage
from refiner.domain.errors import UsageError
from refiner.domain.run import Limits, StopReason
from refiner.run.ledger import LEAST_OUTPUT, ExhaustedError, Ledger

pytestmark = pytest.mark.anyio


def price(usage: Usage) -> float:
    return usage.input_tokens * 1e-6 + usage.output_tokens * 4e-6


calls = st.tuples(st.integers(1, 400), st.integers(1, 400), st.floats(0, 1), st.integers(0, 4))
bounds = st.builds(
    Limits,
    calls=st.none() | st.integers(0, 8),
    tokens=st.none() | st.integers(0, 2000),
    cost_usd=st.none() | st.floats(0, 0.004),
)


async def spend(
    limits: Limits, asked: list[tuple[int, int, float, int]]
) -> tuple[Ledger, list[Usage], list[StopReason]]:
    ledger, used, stops = Ledger(limits), [], []

    def check() -> None:
        taken = ledger.spent + ledger.reserved
        assert limits.calls is None or taken.calls <= limits.calls
        assert limits.tokens is None or taken.tokens <= limits.tokens
        assert limits.cost_usd is None or (taken.cost_usd or 0) <= limits.cost_usd + 1e-12

    async def one(prompt: int, reply: int, share: float, waits: int) -> None:
        try:
            reserved = await ledger.reserve(prompt, reply, price)
        except ExhaustedError as exhausted:
            stops.append(exhausted.stop.reason)
            return
        check()
        for _ in range(waits):
            await anyio.lowlevel.checkpoint()
        said = int(reserved.output_tokens * share)
        usage = Usage(1, prompt, 0, said, cost_usd=price(Usage(1, prompt, 0, said)))
        ledger.settle(reserved, usage)
        used.append(usage)
        check()

    async with anyio.create_task_group() as group:
        for call in asked:
            group.start_soon(one, *call)
    return ledger, used, stops


@given(bounds, st.lists(calls, max_size=12))
def test_no_limit_is_ever_passed_and_every_call_is_answered(
    limits: Limits, asked: list[tuple[int, int, float, int]]
) -> None:
    ledger, used, stops = anyio.run(spend, limits, asked)
    assert len(used) + len(stops) == len(asked)
    assert ledger.reserved == Usage()
    assert ledger.spent.calls == len(used)
    assert ledger.spent.tokens == sum(usage.tokens for usage in used)
    if limits == Limits():
        assert stops == []


async def share(limits: Limits, own: Limits, asked: list[tuple[int, int, float, int]]) -> tuple[Ledger, list[Usage]]:
    """Spend the same calls in three runs under one purse; what is out is seen at every turn."""
    purse, used = Ledger(limits, whole=True), list[Usage]()

    async def one(ledger: Ledger, prompt: int, reply: int, share: float, waits: int) -> None:
        try:
            reserved = await ledger.reserve(prompt, reply, price)
        except ExhaustedError:
            return
        taken = purse.spent + purse.reserved
        assert limits.calls is None or taken.calls <= limits.calls
        assert limits.tokens is None or taken.tokens <= limits.tokens
        assert limits.cost_usd is None or (taken.cost_usd or 0) <= limits.cost_usd + 1e-12
        for _ in range(waits):
            await anyio.lowlevel.checkpoint()
        said = int(reserved.output_tokens * share)
        used.append(Usage(1, prompt, 0, said, cost_usd=price(Usage(1, prompt, 0, said))))
        ledger.settle(reserved, used[-1])

    async with anyio.create_task_group() as group:
        for ledger in [Ledger(own, above=purse) for _ in range(3)]:
            for call in asked:
                group.start_soon(one, ledger, *call)
    return purse, used


@given(bounds, bounds, st.lists(calls, max_size=5))
def test_runs_together_never_pass_what_they_share(
    limits: Limits, own: Limits, asked: list[tuple[int, int, float, int]]
) -> None:
    purse, used = anyio.run(share, limits, own, asked)
    assert purse.reserved == Usage()
    assert (purse.spent.calls, purse.spent.tokens) == (len(used), sum(usage.tokens for usage in used))


async def test_what_is_shared_shortens_no_reply() -> None:
    purse = Ledger(Limits(tokens=1000), whole=True)
    run = Ledger(Limits(), above=purse)
    run.settle(await run.reserve(100, 500, price), Usage(1, 100, 0, 500))
    with pytest.raises(ExhaustedError, match=r"^budget: 600 of at most 1,000 tokens") as stopped:
        await run.reserve(100, 500, price)
    assert (stopped.value.stop.reason, run.reserved) == (StopReason.SIGNAL, Usage())


async def test_the_reply_is_lowered_to_what_is_left_and_not_below_a_useful_size() -> None:
    ledger = Ledger(Limits(tokens=1000))
    assert (await ledger.reserve(100, 2048, price)).output_tokens == 900
    ledger = Ledger(Limits(tokens=100 + LEAST_OUTPUT - 1))
    with pytest.raises(ExhaustedError) as stopped:
        await ledger.reserve(100, 2048, price)
    assert stopped.value.stop.reason is StopReason.TOKENS


async def test_a_call_waits_for_what_another_gives_back() -> None:
    ledger = Ledger(Limits(tokens=1000))
    first = await ledger.reserve(100, 900, price)
    got: list[Usage] = []

    async def second() -> None:
        got.append(await ledger.reserve(100, 900, price))

    async with anyio.create_task_group() as group:
        group.start_soon(second)
        await anyio.wait_all_tasks_blocked()
        assert got == []
        ledger.settle(first, Usage(1, 100, 0, 50))
    assert got[0].output_tokens == 750


async def test_the_longest_affordable_reply_is_reserved() -> None:
    ledger = Ledger(Limits(cost_usd=0.001))
    reserved = await ledger.reserve(200, 4096, price)
    assert reserved.output_tokens == 200
    with pytest.raises(ExhaustedError) as stopped:
        await Ledger(Limits(cost_usd=0.0001)).reserve(200, 4096, price)
    assert stopped.value.stop.reason is StopReason.COST


async def test_a_cost_limit_without_a_price_is_refused() -> None:
    with pytest.raises(UsageError, match="price of the model is unknown"):
        await Ledger(Limits(cost_usd=1.0)).reserve(1, 1, lambda _usage: None)
