"""The door: what is reserved, looked up, committed and booked around one call."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from refiner.domain.calls import Role, Usage
from refiner.domain.errors import AuthError, ProviderError
from refiner.domain.events import CallFailed, CallFinished, CallStarted, Delta, Recorded
from refiner.domain.run import Stop, StopReason
from refiner.domain.state import fold
from refiner.run.context import RunContext
from refiner.strategies.drive import create, resume_run
from tests.scripted.script import STALL, cut, in_order, status
from tests.scripted.server import Scripted
from tests.strategies.worlds import plan, solved, world_of

pytestmark = pytest.mark.anyio

QUESTION = "How many is 6 times 7?"


async def test_every_attempt_is_committed_before_it_leaves_and_what_may_be_billed_is_booked(
    scripted: Scripted, tmp_path: Path
) -> None:
    scripted.script = in_order(status(500), cut("Answ"), status(429, retry_after=0), "Answer: 42")
    seen: list[Recorded | Delta] = []
    async with world_of(scripted, tmp_path, attempts=9) as world:
        run = await create(world, plan(QUESTION, strategy="vote", chains=1))
        state = await resume_run(world, run, seen.append)
        past = [recorded.event for recorded in await world.store.events(run)]
    calls = [event for event in past if isinstance(event, CallStarted | CallFailed | CallFinished)]
    assert [type(event) for event in calls] == [CallStarted, CallFailed] * 3 + [CallStarted, CallFinished]
    booked = [event.booked.calls for event in calls if isinstance(event, CallFailed)]
    assert booked == [0, 1, 0]
    assert state.usage.calls == 2
    assert [recorded.event for recorded in seen if isinstance(recorded, Recorded)] == past[1:]


async def test_a_refused_key_is_tried_once_and_the_run_fails_with_its_name(scripted: Scripted, tmp_path: Path) -> None:
    scripted.script = in_order(status(401))
    async with world_of(scripted, tmp_path) as world:
        run = await create(world, plan(QUESTION))
        with pytest.raises(AuthError) as failed:
            await resume_run(world, run)
        state = fold(await world.store.events(run))
    assert failed.value.run == run
    assert state.status == "failed"
    assert state.finished is not None
    assert state.finished.exit == 5


async def test_the_time_limit_cuts_a_call_that_stalls_and_books_it_at_its_most(
    scripted: Scripted, tmp_path: Path
) -> None:
    scripted.script = in_order("Answer: 42", STALL)
    state = await solved(scripted, tmp_path, plan(QUESTION, strategy="refine", max_time=0.5))
    assert state.finished is not None
    assert (state.finished.stop.reason, state.finished.exit) == (StopReason.TIME, 0)
    assert state.answer is not None
    assert state.usage.calls == 2
    assert state.usage.output_tokens >= 2048
    assert not state.under_way


async def test_an_interrupted_run_keeps_its_best_and_goes_on_later(scripted: Scripted, tmp_path: Path) -> None:
    scripted.script = in_order("Answer: 41", STALL)
    contexts: list[RunContext] = []
    async with world_of(scripted, tmp_path) as world:
        run = await create(world, plan(QUESTION, strategy="refine"))

        def hear(heard: Recorded | Delta) -> None:
            if isinstance(heard, Recorded) and isinstance(heard.event, CallStarted) and heard.event.role == "critic":
                contexts[0].interrupt(Stop(StopReason.SIGNAL, "SIGINT: asked"), grace=0.0)

        state = await resume_run(world, run, hear, contexts.append)
        assert state.status == "interrupted"
        assert state.answer is not None
        assert state.answer.candidate.parsed == "41"
        asked = len(scripted.asked)
        scripted.script = "Verdict: correct, change nothing"
        await world.store.claim(run)
        state = await resume_run(world, run)
    assert state.status == "done"
    assert state.resumptions == 1
    assert len(scripted.asked) == asked + 1  # the draft is not bought again


async def test_what_a_dead_process_had_under_way_is_booked_at_its_most(scripted: Scripted, tmp_path: Path) -> None:
    scripted.script = "Answer: 42"
    most = Usage(1, 100, 0, 10)
    async with world_of(scripted, tmp_path) as world:
        run = await create(world, plan(QUESTION, strategy="vote", chains=3))
        # What kill -9 leaves behind: a call that started and never ended.
        await world.store.append(run, [CallStarted("0/0/answer/0", 0, Role.ANSWER, "m", "digest", (), 10, most)])
        state = await resume_run(world, run)
        begun, *later = await world.store.events(run)
    assert fold([begun, later[0], *(replace(one, at=one.at + timedelta(hours=1)) for one in later[1:])]).seconds < 3600
    assert state.usage.calls == 1 + 3
    assert state.usage.input_tokens >= 100
    assert not state.under_way
    assert len(scripted.asked) == 3


async def test_the_call_limit_holds_over_concurrent_chains(scripted: Scripted, tmp_path: Path) -> None:
    scripted.script = "Answer: 42"
    state = await solved(scripted, tmp_path, plan(QUESTION, strategy="textgrad", chains=4, max_calls=5, concurrency=4))
    assert len(scripted.asked) == state.usage.calls == 5
    assert state.finished is not None
    assert state.finished.stop.reason is StopReason.CALLS


async def test_what_other_chains_have_paid_for_is_kept_when_the_budget_ends(scripted: Scripted, tmp_path: Path) -> None:
    scripted.script = "Answer: 42"
    made = plan(QUESTION, strategy="vote", chains=6, max_calls=4, vote={"adaptive": False}, concurrency=6)
    state = await solved(scripted, tmp_path, made)
    assert state.selected is not None
    assert [vote.voters for vote in state.selected.votes] == [4]


async def test_a_provider_that_stays_down_is_given_up(scripted: Scripted, tmp_path: Path) -> None:
    scripted.script = in_order(status(503))
    with pytest.raises(ProviderError):
        await solved(scripted, tmp_path, plan(QUESTION))
    assert len(scripted.asked) >= 3
