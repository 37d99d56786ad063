"""What is asked of a live run from another process: each word is an event, and the run does it."""

from pathlib import Path

import anyio
import pytest

from refiner.domain.events import CallStarted, Candidate, Evaluation, Recorded, Steered
from refiner.domain.run import Control, Limits, Rewrite, StopReason
from refiner.domain.state import RunState, fold
from refiner.run.context import RunContext
from refiner.run.steering import Steering
from refiner.strategies.drive import World, create, resume_run
from tests.scripted.script import Asked, Script
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

    async def ask(self, control: Control, told: Limits | Rewrite | None = None) -> None:
        await self.world.store.ask(self.run, control, "ada", told)

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


def _criticised(**replies: str) -> Script:
    return by_role(
        draft="It scatters.",
        critique="Say HOW.\nVerdict: flawed",
        gradient="Name the law.",
        update="<improved>It scatters, by a law.</improved>",
        **replies,
    )


@pytest.mark.parametrize(("strategy", "role"), [("textgrad", "gradient"), ("refine", "updater")])
async def test_an_edited_critique_reaches_the_prompt_that_comes_next(
    scripted: Scripted, tmp_path: Path, strategy: str, role: str
) -> None:
    scripted.script = _criticised()
    async with world_of(scripted, tmp_path) as world:
        made = plan(QUESTION, strategy=strategy, answer_type="text", max_iterations=1)
        live = Live(world, await create(world, made))
        await live.ask("hold", Limits(seconds=3600))
        states: list[RunState] = []

        async def drive() -> None:
            states.append(await live.drive())

        async with anyio.create_task_group() as group:
            group.start_soon(drive)
            await live.until(Evaluation)
            held = fold(await world.store.events(live.run)).held
            assert held == ("0/0", 3600)
            await live.ask("edit", Rewrite(0, 0, "Say WHY.\nVerdict: flawed"))
    [state] = states
    [call] = [
        one.event
        for one in await _events(tmp_path, live.run, scripted)
        if isinstance(one.event, CallStarted) and one.event.key.startswith(f"0/0/{role}/")
    ]
    assert "Say WHY." in call.messages[-1].text
    assert "Say HOW." not in call.messages[-1].text
    assert (state.held, state.status) == (None, "done")


async def test_an_edit_in_a_pause_survives_the_death_of_the_process(scripted: Scripted, tmp_path: Path) -> None:
    scripted.script = _criticised()
    async with world_of(scripted, tmp_path) as world:
        made = plan(QUESTION, strategy="refine", answer_type="text", max_iterations=1)
        live = Live(world, await create(world, made))
        await live.ask("pause")
        async with anyio.create_task_group() as group:
            group.start_soon(live.drive)
            await live.until(Steered)
            await live.ask("resume")
            await live.until(Candidate)
            await live.ask("pause")
            await live.until(Evaluation)
            await live.ask("edit", Rewrite(0, 0, "Say WHY.\nVerdict: flawed"))
            while fold(await world.store.events(live.run)).heard < 4:
                await anyio.lowlevel.checkpoint()
            group.cancel_scope.cancel()
    asked = len(scripted.asked)
    async with world_of(scripted, tmp_path) as world:
        await world.store.claim(live.run)
        await resume_run(world, live.run)
    assert "Say WHY." in scripted.asked[asked].last
    assert len(scripted.asked) == asked + 1


async def test_a_veto_leaves_the_update_out_and_asks_again(scripted: Scripted, tmp_path: Path) -> None:
    critiques = iter(("Say HOW.\nVerdict: flawed", "Verdict: correct, change nothing"))
    scripted.script = by_role(draft="It scatters.", critique=lambda _: next(critiques))
    async with world_of(scripted, tmp_path) as world:
        made = plan(QUESTION, strategy="refine", answer_type="text", max_iterations=3)
        live = Live(world, await create(world, made))
        await live.ask("hold", Limits(seconds=3600))
        states: list[RunState] = []

        async def drive() -> None:
            states.append(await live.drive())

        async with anyio.create_task_group() as group:
            group.start_soon(drive)
            await live.until(Evaluation)
            await live.ask("edit", Rewrite(0, 0, " "))
    first, second = states[0].chain(0).steps
    assert second.decision is not None
    assert (second.decision.reason, second.candidate.text) == ("its critique was vetoed", first.candidate.text)
    assert (len(scripted.asked), states[0].status, states[0].selected and states[0].selected.index) == (3, "done", 0)


async def test_a_hold_ends_by_itself_and_an_edit_behind_it_is_too_late(scripted: Scripted, tmp_path: Path) -> None:
    scripted.script = _criticised()
    async with world_of(scripted, tmp_path) as world:
        made = plan(QUESTION, strategy="refine", answer_type="text", max_iterations=1)
        live = Live(world, await create(world, made))
        await live.ask("hold", Limits(seconds=0.01))
        await live.ask("edit", Rewrite(0, 0, "Say WHY."))
        state = await live.drive()
    assert (state.status, state.notes) == (
        "done",
        ("the edit of critique 0/0 came too late: it is not waiting to be used",),
    )
    assert "Say HOW." in scripted.asked[-1].last


async def test_a_held_run_can_be_let_go_and_ended(scripted: Scripted, tmp_path: Path) -> None:
    scripted.script = _criticised()
    async with world_of(scripted, tmp_path) as world:
        ends: tuple[tuple[Control, StopReason], ...]
        ends = (("resume", StopReason.ITERATIONS), ("cancel", StopReason.SIGNAL))
        for control, reason in ends:
            made = plan(QUESTION, strategy="refine", answer_type="text", max_iterations=1)
            live = Live(world, await create(world, made))
            await live.ask("hold", Limits(seconds=3600))
            states: list[RunState] = []

            async def drive(live: Live = live, states: list[RunState] = states) -> None:
                states.append(await live.drive())

            async with anyio.create_task_group() as group:
                group.start_soon(drive)
                await live.until(Evaluation)
                await live.ask(control)
            assert states[0].finished is not None
            assert states[0].finished.stop.reason is reason
