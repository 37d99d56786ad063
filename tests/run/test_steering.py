"""What is asked of a live run from another process: each word is an event, and the run does it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import anyio
import pytest

from refiner.domain.events import CallStarted, Candidate, Evaluation, Recorded, Steered
from refiner.domain.run import Control, Limits, Rewrite, StopReason
from refiner.domain.state import RunState, fold
from refiner.run.steering import Steering
from refiner.strategies.drive import World, create, resume_run
from tests.scripted.script import Asked, Script
from tests.scripted.server import Scripted
from tests.strategies.worlds import by_role, plan, world_of

pytestmark = pytest.mark.anyio

QUESTION = "Why is the sky blue?"
HOLD: tuple[Control, Limits] = ("hold", Limits(seconds=3600))
FLAWED = "\nVerdict: flawed"


class Live:
    """A run that is being driven, and can be told things; state is what it came to."""

    state: RunState

    def __init__(self, world: World, run: str) -> None:
        self.world, self.run = world, run
        self.steering = Steering()

    async def drive(self) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(self.steering.listen, self.world.store, self.run, 0.0)
            self.state = await resume_run(self.world, self.run, started=self.steering.started)
            group.cancel_scope.cancel()

    async def ask(self, control: Control, told: Limits | Rewrite | None = None) -> None:
        await self.world.store.ask(self.run, control, "ada", told)

    async def events(self) -> list[Recorded]:
        return await self.world.store.events(self.run)

    async def until(self, kind: type[object], count: int = 1) -> None:
        """Wait until the run has recorded so many events of a kind."""
        while sum(isinstance(one.event, kind) for one in await self.events()) < count:
            await anyio.lowlevel.checkpoint()


@asynccontextmanager
async def driven(
    world: World, *asked: tuple[Control, Limits | Rewrite | None], strategy: str = "refine", **settings: Any
) -> AsyncIterator[Live]:
    """A run that was asked this before it began; it has ended when the block has."""
    made = plan(QUESTION, strategy=strategy, answer_type="text", **settings)
    live = Live(world, await create(world, made))
    for control, told in asked:
        await live.ask(control, told)
    async with anyio.create_task_group() as group:
        group.start_soon(live.drive)
        yield live


def _longer(asked: Asked) -> str:
    return f"<improved>It scatters, says number {asked.number}.</improved>"


def _criticised() -> Script:
    return by_role(
        draft="It scatters.",
        critique=f"Say HOW.{FLAWED}",
        gradient="Name the law.",
        update="<improved>By a law.</improved>",
    )


async def test_a_paused_run_starts_no_call_and_goes_on_when_it_is_told(scripted: Scripted, tmp_path: Path) -> None:
    scripted.script = by_role(draft="It scatters.", critique="Verdict: correct, change nothing")
    async with world_of(scripted, tmp_path) as world:
        async with driven(world, ("pause", None)) as live:
            await live.until(Steered)
            paused = fold(await live.events())
            [row] = await world.store.runs()
            assert (paused.status, row.status, row.live) == ("paused", "paused", True)
            for _ in range(50):
                await anyio.lowlevel.checkpoint()
            await live.ask("resume")
        events = [one.event for one in await live.events() if isinstance(one.event, Steered | CallStarted)]
    assert [type(event) for event in events[:3]] == [Steered, Steered, CallStarted]
    words = [event.word for event in events if isinstance(event, Steered)]
    assert live.state.status == "done"
    assert [(word.control, word.who) for word in words] == [("pause", "ada"), ("resume", "ada")]


@pytest.mark.parametrize(("control", "status", "code"), [("stop", "done", 0), ("cancel", "interrupted", 130)])
async def test_stop_keeps_the_best_and_cancel_ends_at_once(
    scripted: Scripted, tmp_path: Path, control: Control, status: str, code: int
) -> None:
    scripted.script = by_role(draft="It scatters.", critique=f"Say how.{FLAWED}", update=_longer)
    async with world_of(scripted, tmp_path) as world, driven(world, max_iterations=99) as live:
        await live.until(CallStarted)
        await live.ask(control)
    ended = live.state.finished
    assert ended is not None
    assert (live.state.status, ended.exit, ended.stop.reason) == (status, code, StopReason.SIGNAL)
    assert "asked for by ada" in ended.stop.detail


async def test_a_new_budget_binds_from_then_on_and_after_a_resumption(scripted: Scripted, tmp_path: Path) -> None:
    scripted.script = by_role(draft="It scatters.", critique=f"Say how.{FLAWED}", update=_longer)
    budget: tuple[Control, Limits] = ("budget", Limits(calls=4))
    async with world_of(scripted, tmp_path) as world, driven(world, budget, max_iterations=99, max_calls=50) as live:
        pass
    state = live.state
    assert state.finished is not None
    assert state.finished.stop.reason is StopReason.CALLS
    assert state.usage.calls == 4
    assert state.plan is not None
    assert state.plan.limits == Limits(calls=4)


@pytest.mark.parametrize(("strategy", "role"), [("textgrad", "gradient"), ("refine", "updater")])
async def test_an_edited_critique_reaches_the_prompt_that_comes_next(
    scripted: Scripted, tmp_path: Path, strategy: str, role: str
) -> None:
    scripted.script = _criticised()
    async with world_of(scripted, tmp_path) as world:
        async with driven(world, HOLD, strategy=strategy, max_iterations=1) as live:
            await live.until(Evaluation)
            assert fold(await live.events()).held == ("0/0", 3600)
            await live.ask("edit", Rewrite(0, 0, f"Say WHY.{FLAWED}"))
        started = [one.event for one in await live.events() if isinstance(one.event, CallStarted)]
    [call] = [event for event in started if event.key.startswith(f"0/0/{role}/")]
    assert "Say WHY." in call.messages[-1].text
    assert "Say HOW." not in call.messages[-1].text
    assert (live.state.held, live.state.status) == (None, "done")


async def test_an_edit_in_a_pause_survives_the_death_of_the_process(scripted: Scripted, tmp_path: Path) -> None:
    paused = Event()

    def critique(_: Asked) -> str:
        assert paused.wait(60)
        return f"Say HOW.{FLAWED}"

    scripted.script = by_role(draft="It scatters.", critique=critique, update="<improved>By a law.</improved>")
    async with world_of(scripted, tmp_path) as world:
        live = Live(world, await create(world, plan(QUESTION, strategy="refine", answer_type="text", max_iterations=1)))
        await live.ask("pause")
        async with anyio.create_task_group() as group:
            group.start_soon(live.drive)
            await live.until(Steered)
            await live.ask("resume")
            await live.until(Candidate)
            await live.ask("pause")
            await live.until(Steered, 3)
            paused.set()
            await live.until(Evaluation)
            await live.ask("edit", Rewrite(0, 0, f"Say WHY.{FLAWED}"))
            await live.until(Steered, 4)
            group.cancel_scope.cancel()
    asked = len(scripted.asked)
    async with world_of(scripted, tmp_path) as world:
        await world.store.claim(live.run)
        await resume_run(world, live.run)
    assert "Say WHY." in scripted.asked[asked].last
    assert len(scripted.asked) == asked + 1


async def test_a_veto_leaves_the_update_out_and_asks_again(scripted: Scripted, tmp_path: Path) -> None:
    critiques = iter((f"Say HOW.{FLAWED}", "Verdict: correct, change nothing"))
    scripted.script = by_role(draft="It scatters.", critique=lambda _: next(critiques))
    async with world_of(scripted, tmp_path) as world, driven(world, HOLD, max_iterations=3) as live:
        await live.until(Evaluation)
        await live.ask("edit", Rewrite(0, 0, " "))
    state = live.state
    first, second = state.chain(0).steps
    assert second.decision is not None
    assert (second.decision.reason, second.candidate.text) == ("its critique was vetoed", first.candidate.text)
    assert (len(scripted.asked), state.status, state.selected and state.selected.index) == (3, "done", 0)


async def test_a_hold_ends_by_itself_and_an_edit_behind_it_is_too_late(scripted: Scripted, tmp_path: Path) -> None:
    scripted.script = _criticised()
    words: tuple[tuple[Control, Limits | Rewrite], ...]
    words = ("hold", Limits(seconds=0.01)), ("edit", Rewrite(0, 0, "Say WHY."))
    async with world_of(scripted, tmp_path) as world, driven(world, *words, max_iterations=1) as live:
        pass
    late = "the edit of critique 0/0 came too late: it is not waiting to be used"
    assert (live.state.status, live.state.notes) == ("done", (late,))
    assert "Say HOW." in scripted.asked[-1].last


@pytest.mark.parametrize(("control", "reason"), [("resume", StopReason.ITERATIONS), ("cancel", StopReason.SIGNAL)])
async def test_a_held_run_can_be_let_go_and_ended(
    scripted: Scripted, tmp_path: Path, control: Control, reason: StopReason
) -> None:
    scripted.script = _criticised()
    async with world_of(scripted, tmp_path) as world, driven(world, HOLD, max_iterations=1) as live:
        await live.until(Evaluation)
        await live.ask(control)
    assert live.state.finished is not None
    assert live.state.finished.stop.reason is reason


async def test_a_hold_takes_nothing_of_the_time_of_the_run(scripted: Scripted, tmp_path: Path) -> None:
    scripted.script = _criticised()
    async with world_of(scripted, tmp_path) as world:
        async with driven(world, HOLD, max_iterations=1, max_time=3600) as live:
            await live.until(Evaluation)
            assert live.steering._context
            live.steering._context._deadline = anyio.current_time()  # an hour has gone by meanwhile
            await live.ask("resume")
        events = await live.events()
    assert live.state.finished is not None
    assert live.state.finished.stop.reason is StopReason.ITERATIONS
    at = next(place for place, one in enumerate(events) if isinstance(one.event, Evaluation))
    later = [replace(one, at=one.at + timedelta(hours=1)) for one in events[at + 1 :]]
    assert fold([*events[: at + 1], *later]).seconds < 3600
