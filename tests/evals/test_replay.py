"""Rules on recorded trajectories mean what they mean live, and say where a call would be missing."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from refiner.domain.errors import UsageError
from refiner.evals.foreign import read_trajectories
from refiner.evals.replay import Outcome, Score, play, replay
from refiner.evals.rules import GATES, VOTES, Rule
from refiner.evals.trajectory import Trajectory, trajectory
from refiner.policies import parse
from refiner.strategies.drive import create, resume_run
from tests.scripted.script import Asked
from tests.scripted.server import Scripted
from tests.strategies.worlds import by_role, plan, world_of

SAMPLE = Path(__file__).parents[1] / "data" / "textgrad.jsonl"
UPDATES = ("<improved>Answer: 1</improved>", "no idea", "neither", "<improved>Answer: 2</improved>")


def rule(until: str | None, vote: str = "majority", gate: str = "recorded") -> Rule:
    return Rule(until, parse(until) if until else None, vote, gate)


def scored(file: Path, *rules: Rule) -> list[Score]:
    return replay(read_trajectories(file), rules, keep=True)


def one(file: Path, *rules: Rule) -> list[Outcome]:
    return [score.outcomes[0] for score in scored(file, *rules)]


def row(answers: str, **beside: Any) -> dict[str, Any]:
    """A trajectory whose candidates are letters, "-" one that cannot be read; the gold answer is A."""
    candidates = [{"parsed": None if answer == "-" else answer} for answer in answers]
    calls = [3 if at else 1 for at in range(len(answers))]
    return {"id": answers, "gold": "A", "candidates": candidates, "calls_per_candidate": calls, **beside}


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    def written(*rows: object) -> Path:
        (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        return tmp_path / "t.jsonl"

    return written


def test_the_published_sample() -> None:
    """By hand: of the 13 first answers 5 are right, of the last 5, of the votes 7."""
    rows = [json.loads(line) for line in SAMPLE.read_text().splitlines()]
    golds = [row["gold"] for row in rows]
    answers = [[one["parsed"] for one in row["candidates"]] for row in rows]
    first, last, vote, agreed = scored(SAMPLE, rule(None, "first"), rule(None, "last"), rule(None), rule("agree:2"))
    assert first.right == sum(one[0] == gold for one, gold in zip(answers, golds, strict=True)) == 5
    assert last.right == sum(one[-1] == gold for one, gold in zip(answers, golds, strict=True)) == 5
    assert (vote.right, vote.repaired, vote.broken) == (7, 3, 1)
    assert (vote.mean("calls"), vote.mean("tokens"), vote.mean("cost")) == (10, None, None)
    pairs = [[at for at in (1, 2, 3) if one[at] and one[at] == one[at - 1]] or [3] for one in answers]
    assert (agreed.undecidable, agreed.usage.calls) == (0, sum(1 + 3 * at[0] for at in pairs))


@pytest.mark.parametrize(
    ("until", "answers", "calls"),
    [
        ("agree:2", "BBAA", 4),
        ("agree:2", "B-BA", 10),
        ("agree:2 | iterations:1", "BCAA", 4),
        ("patience:2", "BBBA", 7),
        ("calls:5", "BCAA", 5),
        ("calls:7 & agree:2", "BCCA", 7),
        ("iterations:0", "BA", 1),
    ],
)
def test_a_rule_ends_a_trajectory(file: Callable[..., Path], until: str, answers: str, calls: int) -> None:
    (outcome,) = one(file(row(answers)), rule(until))
    assert (outcome.undecidable, outcome.usage.calls) == ("", calls)


@pytest.mark.parametrize(
    ("until", "why"),
    [
        ("iterations:5", "iterations:5 asks for more than was recorded, 3 iterations"),
        ("calls:11", "calls:11 asks for more"),
        ("agree:5", "agree:5 asks for more"),
        ("patience:4 | agree:3", "patience:4 asks for more"),
        ("clean", "its record holds no verdicts"),
        ("agree:2 | cost:1", "its record holds no cost"),
        ("tokens:5k", "its record holds no tokens"),
        ("similar:0.9", "its record holds no texts"),
        ("target:1", "its record holds no scores"),
    ],
)
def test_a_call_that_was_not_made_is_missed(file: Callable[..., Path], until: str, why: str) -> None:
    (outcome,) = one(file(row("ABCD")), rule(until))
    assert outcome.undecidable.startswith(why)
    decided, undecided = scored(file(row("ABCD"), row("AABC")), rule("agree:2"), rule("agree:2 | iterations:4"))
    assert (decided.undecidable, undecided.undecidable, undecided.decided, undecided.accuracy) == (0, 1, 1, 1.0)


def test_a_record_that_ends_early_decides_only_what_ended_by_then(file: Callable[..., Path]) -> None:
    for short in (file(row("AB", iterations=3)), file(row("AB"), row("ABCD"))):
        decided, undecided, recorded = one(short, rule("iterations:1"), rule("agree:2"), rule(None))
        assert (decided.undecidable, recorded.undecidable) == ("", "")
        assert undecided.undecidable == "the record of chain 0 ends after iteration 1 of 3"


@pytest.mark.parametrize(
    ("vote", "answer"), [("first", "-"), ("last", "C"), ("majority", "B"), ("weighted", "C"), ("best", "C")]
)
def test_votes(file: Callable[..., Path], vote: str, answer: str) -> None:
    told = row("-BCBC")
    for candidate, weight in zip(told["candidates"], (9, 1, 2, 1, 1), strict=True):
        candidate |= {"weight": weight, "score": weight / 9 if candidate["parsed"] else 0.0}
    (outcome,) = one(file(told), rule(None, vote))
    assert (outcome.answer or "-", outcome.right, outcome.changed) == (answer, False, answer != "-")


def test_chains_vote_with_all_or_with_their_last(file: Callable[..., Path]) -> None:
    told = row("BABABC")
    for candidate, chain in zip(told["candidates"], (0, 0, 1, 1, 2, 2), strict=True):
        candidate["chain"] = chain
    everyone, finals, cut = one(file(told), rule(None), rule(None, "finals"), rule("iterations:0", "finals"))
    assert (everyone.answer, finals.answer, finals.usage.calls) == ("B", "A", 16)
    assert (cut.answer, cut.usage.calls) == ("B", 1 + 3 + 3)


def test_another_gate_ends_the_record_where_the_next_update_would_have_begun_elsewhere(
    file: Callable[..., Path],
) -> None:
    readable, opened = rule(None, "last", "readable"), rule(None, "last", "open")
    outcomes = one(file(row("BA-")), readable, opened)
    assert [(outcome.answer, outcome.undecidable) for outcome in outcomes] == [("A", ""), (None, "")]
    parted, ended = one(file(row("B-A")), readable, rule("iterations:1", "last", "readable"))
    assert parted.undecidable == "iteration 2 of chain 0 began from another candidate"
    assert (ended.answer, ended.undecidable) == ("B", "")
    scores = row("AB")
    for candidate, score in zip(scores["candidates"], (0.5, 0.5), strict=True):
        candidate["score"] = score
    outcomes = one(file(scores), rule(None, "last", "scored"), rule(None, "last", "strict"))
    assert [outcome.answer for outcome in outcomes] == ["B", "A"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "is empty"),
        (["[1]"], ":1: not a JSON object but list"),
        (['{"id": 1,'], ":1: not JSON"),
        ([row("A"), {"id": "b"}], ":2: candidates: field required"),
        ([row("A"), row("A")], ":1 too"),
        ([row("AB") | {"calls_per_candidate": [1]}], ":1: calls_per_candidate counts 1 candidates of 2"),
        ([row("A") | {"candidates": [{"parsed": "A", "score": 2}]}], ":1: candidates.0.score: input should be less"),
        (
            [row("A") | {"candidates": [{"parsed": "A", "tests": {"passed": 3, "total": 2}}]}],
            ":1: candidates.0.tests.total: fewer than passed",
        ),
        ([row("A") | {"gold": ""}], ":1: gold: string should have"),
        ([row("A") | {"candidates": [{"parsed": "A", "iteration": 1}]}], ":1: candidates.0: iteration 1"),
        ([{"id": 7, "run": "r", "type": "decision", "at": "now"}], ":1: no event as"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, lines: list[object], message: str) -> None:
    file = tmp_path / "t.jsonl"
    file.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    with pytest.raises(UsageError, match=message.replace("[", r"\[")):
        list(read_trajectories(file))


def test_a_line_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    file = tmp_path / "t.jsonl"
    file.write_bytes(json.dumps(row("A")).encode() + b"\n" + b'{"id": "\xe9"}\n')
    with pytest.raises(UsageError, match=r":2: byte 8 of the line is not UTF-8"):
        list(read_trajectories(file))


def script(critique: str | Callable[[Asked], str]) -> Callable[[Asked], str]:
    replies: Iterator[str] = iter(UPDATES)
    last = "<improved>Answer: 3</improved>"
    return by_role(
        draft="Answer: 0",
        critique=critique,
        gradient="count again",
        update=lambda _asked: next(replies, last),
        repair=lambda _asked: next(replies, last),
    )


async def ran(
    scripted: Scripted, folder: Path, until: str, critique: str | Callable[[Asked], str] = "Verdict: flawed"
) -> Trajectory:
    """A run as it went live."""
    scripted.script = script(critique)
    made = plan("How many is 6 times 7?", strategy="textgrad", max_iterations=4, until=until or None)
    async with world_of(scripted, folder) as world:
        run = await create(world, made)
        await resume_run(world, run)
        return trajectory(run, await world.store.events(run))


@pytest.mark.anyio
@pytest.mark.parametrize(
    "until", ["iterations:2", "calls:5", "calls:7", "patience:1", "patience:1 & iterations:2", "agree:3 | calls:9"]
)
async def test_a_rule_means_the_same_as_live(scripted: Scripted, tmp_path: Path, until: str) -> None:
    whole = await ran(scripted, tmp_path, "")
    live = await ran(scripted, tmp_path, until)
    replayed = play(whole, rule(until))
    assert replayed.undecidable == ""
    assert replayed.usage.calls == play(live, rule(None)).usage.calls < play(whole, rule(None)).usage.calls
    parsed = [
        [step.candidate.parsed for step in played.chains[0].steps] for played in (replayed, play(live, rule(None)))
    ]
    assert parsed[0] == parsed[1]
    assert "the record of chain 0 ends" in play(live, rule("never")).undecidable


@pytest.mark.anyio
async def test_a_critic_is_heard_where_it_spoke(scripted: Scripted, tmp_path: Path) -> None:
    verdicts = iter(("flawed", "correct"))
    whole = await ran(scripted, tmp_path, "", critique=lambda _asked: f"Verdict: {next(verdicts)}")
    clean, more = play(whole, rule("clean")), play(whole, rule("iterations:3"))
    assert (clean.undecidable, clean.usage.calls) == ("", 1 + 3 + 1)
    assert more.undecidable.startswith("the record of chain 0 ends after iteration 1: the critic finds nothing")


def test_every_name_of_the_command_line_is_a_rule() -> None:
    from refiner.cli import replay as command

    assert (tuple(VOTES), tuple(GATES)) == (command.VOTES, command.GATES)
