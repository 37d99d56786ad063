"""The adaptive vote: how many answers it draws, and what they are drawn from."""

import re
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refiner.domain.events import Candidate, Event, Recorded
from refiner.domain.run import Phase, StopReason
from refiner.domain.state import Step
from refiner.domain.task import Kind, Option, Task
from refiner.domain.votes import decided, tally
from refiner.strategies.drive import create, resume_run
from refiner.strategies.shuffle import shuffled
from tests.scripted.script import Asked
from tests.scripted.server import Scripted
from tests.strategies.worlds import plan, solved, world_of

pytestmark = pytest.mark.anyio

QUESTION = "How many is 6 times 7?"
CHOICE = "Which city lies on the Danube?\nA) Bonn\nB) Ulm\nC) Kiel\nD) Jena"


def drafts(*answers: str) -> Callable[[Asked], str]:
    left = list(answers)
    return lambda _asked: f"So it is.\nAnswer: {left.pop(0)}"


@pytest.mark.parametrize(
    ("answers", "drawn", "reason"),
    [
        (["42"] * 6, 3, StopReason.AGREED),
        (["42", "41", "42", "42", "42", "1"], 5, StopReason.VOTE_DECIDED),
        (["1", "2", "3", "1", "2", "3"], 6, StopReason.VOTE_DECIDED),
    ],
)
async def test_it_stops_when_the_lead_is_decided(
    scripted: Scripted, tmp_path: Path, answers: list[str], drawn: int, reason: StopReason
) -> None:
    scripted.script = drafts(*answers)
    state = await solved(scripted, tmp_path, plan(QUESTION, strategy="vote", concurrency=1))
    assert state.usage.calls == drawn
    assert state.finished is not None
    assert state.finished.stop.reason is reason


async def test_answers_that_come_at_once_are_one_value_however_they_are_written(
    scripted: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted.script = drafts("0.5", "1/2", "50%")
    read, all_read = 0, anyio.Event()

    async with world_of(scripted, tmp_path) as world:
        append = world.store.append

        async def append_at_once(run: str, events: Sequence[Event]) -> list[Recorded]:
            nonlocal read
            if isinstance(events[0], Candidate):
                read += 1
                if read == 3:
                    all_read.set()
                await all_read.wait()
            return await append(run, events)

        monkeypatch.setattr(world.store, "append", append_at_once)
        state = await resume_run(world, await create(world, plan(QUESTION, strategy="vote", chains=3)))
    assert state.selected is not None
    assert [vote.voters for vote in state.selected.votes] == [3]


async def test_without_adaptive_all_chains_are_drawn(scripted: Scripted, tmp_path: Path) -> None:
    scripted.script = "Answer: 42"
    task = plan(QUESTION, strategy="vote", chains=5, vote={"adaptive": False})
    assert (await solved(scripted, tmp_path, task)).usage.calls == 5


async def test_an_unreadable_draft_is_drawn_once_more_and_never_votes(scripted: Scripted, tmp_path: Path) -> None:
    scripted.script = lambda asked: "hm" if asked.body["temperature"] else "Answer: 42"
    state = await solved(scripted, tmp_path, plan(QUESTION, strategy="vote", chains=3))
    assert state.usage.calls == 1 + 2 * 2
    assert state.selected is not None
    assert [(vote.answer, vote.voters) for vote in state.selected.votes] == [("42", 1)]


async def test_each_answer_is_refined_where_iterations_are_asked_for(scripted: Scripted, tmp_path: Path) -> None:
    def script(asked: Asked) -> str:
        if "Examine" in asked.last:
            return "Verdict: flawed"
        return "<improved>Answer: 42</improved>" if "Improve" in asked.last else "Answer: 41"

    scripted.script = script
    state = await solved(scripted, tmp_path, plan(QUESTION, strategy="vote", chains=3, max_iterations=1))
    assert state.usage.calls == 3 * 3
    assert state.answer is not None
    assert state.answer.candidate.parsed == "42"
    assert state.selected is not None
    assert state.selected.votes[0].voters == 3


async def test_options_are_shuffled_for_all_but_the_first_and_mapped_back(scripted: Scripted, tmp_path: Path) -> None:
    def script(asked: Asked) -> str:
        label = next(line[0] for line in asked.last.splitlines() if line.endswith(") Ulm"))
        return f"The Danube flows through option {label}.\nAnswer: {label}"

    scripted.script = script
    state = await solved(scripted, tmp_path, plan(CHOICE, strategy="vote", chains=4, vote={"adaptive": False}))
    shown = {tuple(line for line in asked.last.splitlines() if line[1:2] == ")") for asked in scripted.asked}
    assert len(shown) > 1
    assert [step.candidate.parsed for chain in state.chains.values() for step in chain.steps] == ["B"] * 4
    assert all("option B" in chain.steps[0].candidate.text for chain in state.chains.values())


async def test_the_same_seed_draws_the_same_prompts(scripted: Scripted, tmp_path: Path) -> None:
    scripted.script = "Answer: B"
    prompts = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        scripted.reset("Answer: B")
        await solved(scripted, tmp_path / name, plan(CHOICE, strategy="vote", seed=7))
        prompts.append(sorted((asked.last, asked.body["seed"]) for asked in scripted.asked))
    assert prompts[0] == prompts[1]


@given(st.integers(0, 40), st.integers(0, 40))
def test_a_lead_by_two_is_decided_and_a_tie_never(one: int, two: int) -> None:
    leader, runner_up = max(one, two), min(one, two)
    assert decided(leader, runner_up) == (leader - runner_up >= 2)


steps = st.lists(st.sampled_from(["A", "B", "C", None]), max_size=12)


@given(steps)
def test_votes_are_counted_once_each_and_ties_go_to_the_earlier(answers: list[str | None]) -> None:
    cast = [
        Step(Candidate(number, 0, Phase.DRAFT, "text", answer, None if answer else "unreadable"))
        for number, answer in enumerate(answers)
    ]
    counted = tally(cast)
    assert sum(vote.voters for vote in counted.votes) == sum(answer is not None for answer in answers)
    for earlier, later in zip(counted.votes, counted.votes[1:], strict=False):
        assert earlier.voters >= later.voters
        if earlier.voters == later.voters:
            assert answers.index(earlier.answer) < answers.index(later.answer)


words = st.text(st.characters(categories=["L"]), min_size=1, max_size=6)


@given(st.lists(words, min_size=2, max_size=6, unique_by=str.casefold), st.integers(0, 99))
def test_a_shuffle_keeps_every_option_and_knows_its_way_back(texts: list[str], seed: int) -> None:
    options = tuple(Option(label, text) for label, text in zip("ABCDEF", texts, strict=False))
    task = Task("Which?\n" + "\n".join(f"{o.label}) {o.text}" for o in options), Kind.CHOICE, options)
    dealt = shuffled(task, seed)
    for option in dealt.task.options:
        original = dealt.original.get(option.label, option.label)
        assert Option(original, option.text) in options
        assert f"{option.label}) {option.text}" in dealt.task.text
        assert dealt.restore(f"Answer: {option.label}") == f"Answer: {original}"


def judging(better: Callable[[str, str], str]) -> Callable[[Asked], str]:
    """Drafts text 1, text 2 and so on; `better` names the better of the two that the judge is shown."""
    drawn = count(1)

    def script(asked: Asked) -> str:
        shown = re.findall(r"text \d", asked.last)
        return f"Answer: {better(*shown)}" if len(shown) == 2 else f"text {next(drawn)}" + " and so on" * long

    long = 30
    return script


@pytest.mark.parametrize(
    ("better", "answer", "judged"),
    [
        (lambda a, b: "A" if a == "text 3" or (a, b) == ("text 2", "text 1") else "B", "text 3", 5),
        (lambda _a, _b: "B", "text 1", 6),  # whatever is shown second: an order alone wins nothing
        (lambda _a, _b: "neither", "text 1", 3),
    ],
)
async def test_texts_that_nobody_repeats_win_in_both_orders(
    scripted: Scripted, tmp_path: Path, better: Callable[[str, str], str], answer: str, judged: int
) -> None:
    scripted.script = judging(better)
    made = plan("Write a line.", strategy="vote", chains=4, answer_type="text", concurrency=1)
    state = await solved(scripted, tmp_path, made)
    assert state.answer is not None
    assert state.answer.candidate.text.startswith(answer)
    assert state.usage.calls == 4 + judged
    chosen = state.answer.candidate.chain > 0
    assert [step.preferred for chain in state.chains.values() for step in chain.steps].count(1) == chosen


async def test_a_budget_that_ends_between_two_texts_leaves_the_first(scripted: Scripted, tmp_path: Path) -> None:
    scripted.script = judging(lambda a, b: "A" if a > b else "B")
    made = plan("Write a line.", strategy="vote", chains=3, answer_type="text", concurrency=1, max_calls=5)
    state = await solved(scripted, tmp_path, made)
    assert state.finished is not None
    assert state.finished.stop.reason is StopReason.CALLS
    assert state.answer is not None
    assert state.answer.candidate.text.startswith("text 1")
