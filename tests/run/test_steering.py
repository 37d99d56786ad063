"""What is asked of a live run from another process: each word is an event, and the run does it."""

from pathlib import Path

import anyio
import pytest

from refiner.domain.events import CallStarted, Recorded, Steered
from refiner.domain.run import Control, Limits, StopReason
from refiner.domain.state import RunState, fold
from refiner.run.context import RunContext
from refiner.run.steering import Steering
from refiner.strategies.drive import World, create, resume_run
from tests.scripted.script import Asked
from tests.scripted.server import Scripted
from tests.strategies.worlds import by_role, plan, world_of

pytestmark = pytest.mark.anyio

QUESTION = "Why is the sky blue?"


class Live:
    """A run that is being driven, and can be told things."""

    def __init__(self, world: World, run: str) -> None:
        self.world, self.run = world, run
        self.steering = Steering()
        self.heard: list[Recorded] = []
        self.context: RunContext | None = None

    async def drive(self) -> RunState:
        async with anyio.create_task_group() as group:
            group.start_soon(self.steering.listen, self.world.store, self.run, 0.0)
            state = await resume_run(self.world, self.run, started=self.steering.started)
            group.cancel_scope.cancel()
        return state

    async def ask(self, control: Control, limits: Limits | None = None) -> None:
        await self.world.store.ask(self.run, control, "ada", limits)

    async def until(self, kind: type[object]) -> None:
        """Wait until the run has recorded an event of a kind."""
        while not any(isinstance(one.event, kind) for one in await self.world.store.events(self.run)):
            await anyio.lowlevel.checkpoint()


async def test_a_paused_run_starts_no_call_and_goes_on_when_it_is_told(scripted: Scripted, tmp_path: Path) -> None:
    scripted.script = by_role(draft="It scatters.", critique="Verdict: correct, change nothing")
    async with world_of(scripted, tmp_path) as world:
        run = await create(world, plan(QUESTION, strategy="refine", answer_type="text"))
        live = Live(world, run)
        await live.ask("pause")
        states: list[RunState] = []

        async def drive() -> None:
            states.append(await live.drive())

        async with anyio.create_task_group() as group:
            group.start_soon(drive)
            await live.until(Steered)
            paused = fold(await world.store.events(run))
            before = len(scripted.asked)
            [row] = await world.store.runs()
            assert (paused.status, row.status, row.live) == ("paused", "paused", True)
            for _ in range(50):
                await anyio.lowlevel.checkpoint()
            assert len(scripted.asked) <= before + 1  # the one that was under way when it heard of the pause
            await live.ask("resume")
    assert states[0].status == "done"
    words = [one.event.word for one in await _events(tmp_path, run, scripted) if isinstance(one.event, Steered)]
    assert [(word.control, word.who) for word in words] == [("pause", "ada"), ("resume", "ada")]


async def _events(folder: Path, run: str, scripted: Scripted) -> list[Recorded]:
    async with world_of(scripted, folder) as world:
        return await world.store.events(run)


@pytest.mark.parametrize(("control", "status", "code"), [("stop", "done", 0), ("cancel", "interrupted", 130)])
async def test_stop_keeps_the_best_and_cancel_ends_at_once(
    scripted: Scripted, tmp_path: Path, control: Control, status: str, code: int
) -> None:
    scripted.script = by_role(draft="It scatters.", critique="Say how.\nVerdict: flawed", update=_longer)
    async with world_of(scripted, tmp_path) as world:
        live = Live(
            world, await create(world, plan(QUESTION, strategy="refine", answer_type="text", max_iterations=99))
        )
        async with anyio.create_task_group() as group:
            states: list[RunState] = []

            async def drive() -> None:
                states.append(await live.drive())

            group.start_soon(drive)
            await live.until(CallStarted)
            await live.ask(control)
    [state] = states
    assert state.finished is not None
    assert (state.status, state.finished.exit, state.finished.stop.reason) == (status, code, StopReason.SIGNAL)
    assert "asked for by ada" in state.finished.stop.detail


async def test_a_new_budget_binds_from_then_on_and_after_a_resumption(scripted: Scripted, tmp_path: Path) -> None:
    scripted.script = by_role(draft="It scatters.", critique="Say how.\nVerdict: flawed", update=_longer)
    async with world_of(scripted, tmp_path) as world:
        made = plan(QUESTION, strategy="refine", answer_type="text", max_iterations=99, max_calls=50)
        live = Live(world, await create(world, made))
        await live.ask("budget", Limits(calls=4))
        state = await live.drive()
    assert state.finished is not None
    assert state.finished.stop.reason is StopReason.CALLS
    assert state.usage.calls == 4
    assert state.plan is not None
    assert state.plan.limits == Limits(calls=4)


def _longer(asked: Asked) -> str:
    return f"<improved>It scatters, says number {asked.number}.</improved>"
