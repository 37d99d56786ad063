"""`compare`: only a contested vote is looked at again, and a comparison weighs as much as two voters."""

from collections.abc import Callable
from pathlib import Path

import pytest

from refiner.domain.calls import Capabilities
from refiner.domain.run import StopReason
from refiner.providers.openai import OpenAIProvider
from tests.scripted.script import Asked
from tests.scripted.server import Scripted
from tests.strategies.worlds import plan, solved

pytestmark = pytest.mark.anyio

QUESTION = "How many is 6 times 7?"
CONTESTED = ("1", "42", "1", "42", "1", "42")


def script(answers: tuple[str, ...], *comparisons: str) -> Callable[[Asked], str]:
    left, said = list(answers), list(comparisons)

    def reply(asked: Asked) -> str:
        if "come to different answers" in asked.last:
            return f"They differ at once.\nAnswer: {said.pop(0)}"
        return f"So it is.\nAnswer: {left.pop(0)}"

    return reply


async def test_an_agreed_vote_is_not_compared(scripted: Scripted, tmp_path: Path) -> None:
    scripted.script = script(("42",) * 3)
    state = await solved(scripted, tmp_path, plan(QUESTION, strategy="compare", concurrency=1))
    assert state.usage.calls == 3
    assert state.finished is not None
    assert state.finished.stop.reason is StopReason.AGREED


@pytest.mark.parametrize(
    ("comparisons", "answer", "calls"),
    [
        (("2", "1"), "42", 8),  # both orders hold for the second answer
        (("1", "1", "2"), "42", 9),  # the first two contradict each other, the third decides
        (("none", "none"), "1", 8),
        (("17", "seven"), "1", 8),  # what cannot be read prefers nobody
    ],
)
async def test_a_contested_vote_is_compared_in_both_orders(
    scripted: Scripted, tmp_path: Path, comparisons: tuple[str, ...], answer: str, calls: int
) -> None:
    scripted.script = script(CONTESTED, *comparisons)
    state = await solved(scripted, tmp_path, plan(QUESTION, strategy="compare", concurrency=1))
    assert state.selected is not None
    assert state.answer is not None
    assert state.answer.candidate.parsed == answer
    assert state.usage.calls == calls
    shown = [asked.last for asked in scripted.asked if "come to different answers" in asked.last]
    assert shown[0].index("Answer: 1\n") < shown[0].index("Answer: 42\n")
    assert shown[1].index("Answer: 42\n") < shown[1].index("Answer: 1\n")


async def test_a_comparison_weighs_as_much_as_two_voters(scripted: Scripted, tmp_path: Path) -> None:
    scripted.script = script(("1", "42", "1", "42", "1", "7"), "2", "2")
    state = await solved(scripted, tmp_path, plan(QUESTION, strategy="compare", concurrency=1, max_calls=8))
    assert state.selected is not None
    assert [(vote.answer, vote.weight, vote.voters) for vote in state.selected.votes] == [
        ("42", 6.0, 2),
        ("1", 3.0, 3),
        ("7", 1.0, 1),
    ]


async def test_a_small_model_is_not_asked_to_compare(
    scripted: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def weak(_self: OpenAIProvider) -> Capabilities:
        return Capabilities(strong=False)

    monkeypatch.setattr(OpenAIProvider, "capabilities", weak)
    scripted.script = script(CONTESTED)
    state = await solved(scripted, tmp_path, plan(QUESTION, strategy="compare", concurrency=1))
    assert state.usage.calls == 6
    assert "too small to compare" in state.notes[0]


async def test_a_budget_that_ends_before_a_comparison_leaves_the_vote(scripted: Scripted, tmp_path: Path) -> None:
    scripted.script = script(CONTESTED)
    state = await solved(scripted, tmp_path, plan(QUESTION, strategy="compare", concurrency=1, max_calls=6))
    assert state.finished is not None
    assert state.finished.stop.reason is StopReason.CALLS
    assert state.answer is not None
    assert state.answer.candidate.parsed == "1"
