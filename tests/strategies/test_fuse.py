"""`fuse`: drafts become one text, whose rewrite has to win in both orders."""

from collections.abc import Callable
from pathlib import Path

import pytest

from refiner.domain.run import StopReason
from refiner.domain.state import RunState
from tests.scripted.script import Asked
from tests.scripted.server import Scripted
from tests.strategies.worlds import plan, solved

pytestmark = pytest.mark.anyio

QUESTION = "Describe the Danube in two sentences."
FUSED = "The Danube rises in the Black Forest. It ends in the Black Sea."
BETTER = "The Danube rises in the Black Forest and crosses ten countries. It ends in the Black Sea."


def script(
    *, verdict: str = "flawed", update: str = BETTER, judge: Callable[[Asked], str] | None = None, fused: str = FUSED
) -> Callable[[Asked], str]:
    drafts = [f"Draft {number} says that it is a river. It is long." for number in range(9)]

    def reply(asked: Asked) -> str:
        if "The drafts above were written" in asked.last:
            return f"<improved>{fused}</improved>"
        if "what a good answer to it has to do" in asked.last:
            return f"The ten countries are missing.\nVerdict: {verdict}"
        if "Two answers to the task are shown" in asked.last:
            return f"Answer: {(judge or likes_better)(asked)}"
        if "Improve the" in asked.last:
            return f"<improved>{update}</improved>"
        return drafts.pop(0)

    return reply


def likes_better(asked: Asked) -> str:
    return "A" if asked.last.index("ten countries") < asked.last.index("<answer_B>") else "B"


async def fused(scripted: Scripted, folder: Path, **settings: object) -> RunState:
    made = plan(QUESTION, strategy="fuse", answer_type="text", concurrency=1, **settings)
    return await solved(scripted, folder, made)


def answer(state: RunState) -> str:
    assert state.answer is not None
    return state.answer.candidate.text


async def test_four_drafts_a_fusion_a_critique_an_update_and_two_judgements(scripted: Scripted, tmp_path: Path) -> None:
    scripted.script = script()
    state = await fused(scripted, tmp_path)
    assert answer(state) == BETTER
    assert state.usage.calls == 9
    shown = next(asked.last for asked in scripted.asked if "The drafts above" in asked.last)
    assert all(f"Draft {number} says" in shown for number in range(4))


async def test_a_judge_that_follows_the_position_is_not_believed(scripted: Scripted, tmp_path: Path) -> None:
    scripted.script = script(judge=lambda _asked: "B")
    state = await fused(scripted, tmp_path)
    assert answer(state) == FUSED
    decision = state.chain(0).steps[2].decision
    assert decision is not None
    assert decision.reason == "the judge does not prefer it to the one before in both orders"


async def test_an_update_that_is_much_longer_is_not_even_judged(scripted: Scripted, tmp_path: Path) -> None:
    scripted.script = script(update=BETTER + " And it is long." * 9)
    state = await fused(scripted, tmp_path)
    assert (answer(state), state.usage.calls) == (FUSED, 7)


async def test_a_critic_that_finds_nothing_ends_it(scripted: Scripted, tmp_path: Path) -> None:
    scripted.script = script(verdict="correct, change nothing")
    state = await fused(scripted, tmp_path)
    assert (answer(state), state.usage.calls) == (FUSED, 6)
    assert state.finished is not None
    assert state.finished.stop.reason is StopReason.CONVERGED


async def test_a_fusion_that_cannot_be_read_leaves_the_first_draft(scripted: Scripted, tmp_path: Path) -> None:
    scripted.script = script(fused="", verdict="correct, change nothing")
    assert answer(await fused(scripted, tmp_path)).startswith("Draft 0")


async def test_a_budget_that_ends_keeps_what_there_is(scripted: Scripted, tmp_path: Path) -> None:
    scripted.script = script()
    state = await fused(scripted, tmp_path, max_calls=5)
    assert answer(state) == FUSED
    assert state.finished is not None
    assert state.finished.stop.reason is StopReason.CALLS
