"""A model as judge: both orders, what it prefers for no good reason, and that nothing is paid for twice."""

from collections.abc import Callable
from pathlib import Path

import pytest

from refiner.domain.run import Limits
from refiner.evals.judging import Bench, Judged, Judgement, Pair, agreement, judged, score
from refiner.evals.statistics import mcnemar
from refiner.strategies.judge import Pick
from tests.scripted.script import Asked
from tests.scripted.server import Scripted
from tests.strategies.worlds import MODEL, world_of

pytestmark = pytest.mark.anyio

BENCH = Bench("short is good", Limits(), 1)


def pairs(*texts: tuple[str, str]) -> list[Pair]:
    return [Pair(f"q{at}", 0, f"Say something. {at}", ours, theirs) for at, (ours, theirs) in enumerate(texts)]


def prefers(word: str) -> Callable[[Asked], str]:
    """A judge that prefers whichever answer has the word, and else the first."""

    def script(asked: Asked) -> str:
        assert "short is good" in asked.last
        second = asked.last.partition("<answer_B>")[2]
        return f"I like it.\nAnswer: {'B' if word in second else 'A'}"

    return script


async def test_both_orders_and_no_call_for_equal_texts(scripted: Scripted, tmp_path: Path) -> None:
    scripted.script = prefers("good")
    every = pairs(("good", "bad"), ("bad", "good"), ("bad", "worse"), ("same", "same "))
    async with world_of(scripted, tmp_path) as world:
        found = await judged(world, "Judge", MODEL, every, BENCH)
        assert [one.word for one in found.judgements] == ["won", "lost", "split", "tied"]
        assert found.usage.calls == len(scripted.asked) == 6
        again = await judged(world, "Judge", MODEL, every, BENCH)
        assert (again.judgements, len(scripted.asked)) == (found.judgements, 6)
        other = await judged(world, "Judge", MODEL, every[:1], BENCH)
        assert other.run != found.run
    figures = score(found)
    assert figures.counts == {"won": 1, "lost": 1, "tied": 1, "split": 1, "unreadable": 0}
    assert (figures.agree, figures.first, figures.p) == (2 / 3, 4 / 6, 1.0)
    assert figures.longer == 1.0


async def test_a_budget_ends_it_and_the_same_words_go_on(scripted: Scripted, tmp_path: Path) -> None:
    scripted.script = prefers("good")
    every = pairs(("good", "bad"), ("bad", "good"), ("good", "worse"))
    async with world_of(scripted, tmp_path) as world:
        part = await judged(world, "Judge", MODEL, every, Bench("short is good", Limits(calls=3), 1))
        assert len(part.judgements) < 3
        assert "3 calls" in part.stop
        whole = await judged(world, "Judge", MODEL, every, BENCH)
        assert ([one.word for one in whole.judgements], whole.stop) == (["won", "lost", "won"], "")
        assert whole.usage.calls == len(scripted.asked) == 6


def judgements(*told: tuple[str, Pick, Pick]) -> Judged:
    found = tuple(Judgement(Pair(item, 0, "?", "ours", "their"), (first, second)) for item, first, second in told)
    return Judged("openai:a", "j", len(found), found, None)  # type: ignore[arg-type]


def test_figures_by_hand() -> None:
    both: tuple[Pick, Pick] = ("new", "new")
    found = judgements(*((f"q{at}", *both) for at in range(6)), ("a", "old", "old"), ("b", "new", "old"), ("c", *U))
    figures = score(found)
    assert figures.net is not None
    assert (figures.net.mean, figures.p) == (5 / 8, mcnemar(6, 1))
    assert figures.agree == 7 / 8
    assert figures.first == 7 / 16  # of b both fell on what was shown second
    other = judgements(*((f"q{at}", *both) for at in range(5)), ("q5", "old", "old"), ("a", "old", "old"))
    [one] = agreement([found, other])
    # 6 of 7 agree; chance is (6 · 5 + 1 · 2) / 49.
    assert (one.pairs, one.agree) == (7, 6 / 7)
    assert one.kappa == pytest.approx((6 / 7 - 32 / 49) / (1 - 32 / 49))


U: tuple[Pick, Pick] = ("unreadable", "new")
