"""What a report shows of one item: the question, every arm's answer, and how the refined one came about."""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from refiner.domain.state import ChainState, RunState, Step
from refiner.evals.answers import Answer
from refiner.evals.flips import first_right

SIZE = 6_000_000
"""Characters that a page of many items has about; the more items, the less is shown of a text."""

LEAST, MOST = 800, 4_000
"""Characters that are shown of a text, at the least and at the most."""

LINES = 80
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
    most = max(LEAST, min(MOST, SIZE // (10 * max(1, len(states)))))
    return tuple(_page(group, states, refined, most) for group in grouped(answers))


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


def difference(before: str, after: str, most: int = MOST) -> Iterator[tuple[str, str]]:
    """The lines of a unified diff, each with what it is: "add", "del", "at" or "same"."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=2)
    for number, line in enumerate(lines):
        if number >= LINES + 2:
            yield "at", "[…]"
            return
        if number > 1:  # the first two name files
            yield {"+": "add", "-": "del", "@": "at"}.get(line[0], "same"), clipped(line, most)


def clipped(text: str, most: int = MOST) -> str:
    """A text, its middle left out where it is longer."""
    return text if len(text) <= most else f"{text[: most * 2 // 3]}\n[…]\n{text[-(most // 3) :]}"


def _page(group: tuple[Answer, ...], states: Mapping[str, RunState], refined: str, most: int) -> Page:
    first = group[0]
    own = next((one for one in group if one.arm == refined), None)
    state = states.get(own.run) if own and own.run else None
    question = clipped(state.plan.task.text, most) if state and state.plan else ""
    made = tuple(_made(state, own, most)) if state and own else ()
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


def _made(state: RunState, answer: Answer, most: int) -> Iterator[Made]:
    right = {(one.chain, one.index): one.right for one in answer.iterates}
    for number in sorted(state.chains):
        for step in state.chains[number].steps:
            yield _of_step(step, state.chains[number], right.get((number, step.candidate.index)), most)


def _of_step(step: Step, chain: ChainState, right: bool | None, most: int) -> Made:
    candidate = step.candidate
    before = ChainState(chain.steps[: chain.steps.index(step)]).current
    return Made(
        candidate.chain,
        candidate.index,
        right,
        step.accepted,
        step.decision.reason if step.decision else "",
        "" if before else clipped(candidate.text, most),
        clipped(step.evaluation.critique, most) if step.evaluation else "",
        clipped(step.gradient.text, most) if step.gradient else "",
        tuple(difference(before.candidate.text, candidate.text, most)) if before else (),
    )
