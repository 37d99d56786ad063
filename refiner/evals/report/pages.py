"""What a report shows of one item: the question, every arm's answer, and how the refined one came about."""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from refiner.domain.state import ChainState, RunState, Step
from refiner.evals.answers import Answer
from refiner.evals.flips import first_right

CLIP = 4_000
"""Characters that are shown of a text."""

LINES = 120
"""Lines that are shown of a difference."""

TRAJECTORIES = 1_000
"""Answers whose trajectory is shown, those that tell most first."""


@dataclass(frozen=True, slots=True)
class Made:
    """A candidate: what was said of it, and how it differs from the one before, as marked lines (see `difference`)."""

    chain: int
    index: int
    right: bool | None
    accepted: bool
    reason: str
    text: str
    critique: str
    gradient: str
    difference: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Page:
    """One item in one replicate. marks: by which words it can be filtered; made is empty where no run is left."""

    item: str
    replicate: int
    subject: str
    gold: str | None
    question: str
    answers: tuple[Answer, ...]
    marks: tuple[str, ...]
    made: tuple[Made, ...]


def pages(answers: Sequence[Answer], states: Mapping[str, RunState], refined: str) -> tuple[Page, ...]:
    """The pages in the order of the items. states: the runs that are to be shown, by id."""
    return tuple(_page(group, states, refined) for group in grouped(answers))


def grouped(answers: Iterable[Answer]) -> list[tuple[Answer, ...]]:
    """The arms' answers to one item in one replicate, together."""
    found: dict[tuple[str, int], list[Answer]] = {}
    for one in answers:
        found.setdefault((one.item, one.replicate), []).append(one)
    return [tuple(group) for group in found.values()]


def telling(answers: Sequence[Answer], refined: str) -> list[str]:
    """The runs whose trajectories are worth most to a reader: where the arms or the steps disagree, then the rest."""
    ranked = sorted(grouped(answers), key=lambda group: not set(_marks(group, refined)) & {"repaired", "broken"})
    runs = [one.run for group in ranked for one in group if one.arm == refined and one.run is not None]
    return runs[:TRAJECTORIES]


def difference(before: str, after: str) -> Iterator[tuple[str, str]]:
    """The lines of a unified diff, each with what it is: "add", "del", "at" or "same"."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=2)
    for number, line in enumerate(lines):
        if number >= LINES + 2:
            yield "at", "[…]"
            return
        if number > 1:  # the first two name files
            yield {"+": "add", "-": "del", "@": "at"}.get(line[0], "same"), clipped(line)


def clipped(text: str) -> str:
    """A text, no longer than what is shown of one."""
    return text if len(text) <= CLIP else f"{text[:CLIP]}\n[… {len(text) - CLIP:,} more characters]"


def _page(group: tuple[Answer, ...], states: Mapping[str, RunState], refined: str) -> Page:
    first = group[0]
    own = next((one for one in group if one.arm == refined), None)
    state = states.get(own.run) if own and own.run else None
    question = clipped(state.plan.task.text) if state and state.plan else ""
    made = tuple(_made(state, own)) if state and own else ()
    marks = tuple(_marks(group, refined))
    return Page(first.item, first.replicate, first.subject, first.gold, question, group, marks, made)


def _marks(group: Sequence[Answer], refined: str) -> Iterator[str]:
    own = next((one for one in group if one.arm == refined), None)
    if own is None:
        return
    yield own.outcome
    befores = [first_right(own), *(one.right for one in group if one.arm != refined and one.known)]
    if own.right and False in befores:
        yield "repaired"
    if own.known and not own.right and True in befores:
        yield "broken"


def _made(state: RunState, answer: Answer) -> Iterator[Made]:
    right = {(one.chain, one.index): one.right for one in answer.iterates}
    for number in sorted(state.chains):
        for step in state.chains[number].steps:
            yield _of_step(step, state.chains[number], right.get((number, step.candidate.index)))


def _of_step(step: Step, chain: ChainState, right: bool | None) -> Made:
    candidate = step.candidate
    before = ChainState(chain.steps[: chain.steps.index(step)]).current
    return Made(
        candidate.chain,
        candidate.index,
        right,
        step.accepted,
        step.decision.reason if step.decision else "",
        "" if before else clipped(candidate.text),
        clipped(step.evaluation.critique) if step.evaluation else "",
        clipped(step.gradient.text) if step.gradient else "",
        tuple(difference(before.candidate.text, candidate.text)) if before else (),
    )
