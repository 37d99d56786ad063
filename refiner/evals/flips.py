"""The ledger of flips: which step made a wrong answer right, and which a right one wrong."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from refiner.evals.answers import Answer, Iterate

Cause = Literal["update", "selection", "rejected"]


@dataclass(frozen=True, slots=True)
class Flip:
    """Steps of one iteration and cause: how many went from wrong to right (repaired), and back (broken).

    update: the gate let it through. rejected: the gate held it back, so the flip was missed, or averted. selection: the
    answer is another than the first chain's last candidate; iteration is None. reason: the gate's, without figures.
    """

    cause: Cause
    iteration: int | None
    reason: str
    repaired: int
    broken: int


def flips(answers: Iterable[Answer]) -> tuple[Flip, ...]:
    """The ledger over all chains of the answers, updates first."""
    found = Counter(place for answer in answers for place in _of(answer))
    places = dict.fromkeys(place[:3] for place in found)
    order: tuple[Cause, ...] = ("update", "selection", "rejected")
    ranked = sorted(places, key=lambda place: (order.index(place[0]), place[1] or 0, place[2]))
    return tuple(Flip(*place, found[*place, True], found[*place, False]) for place in ranked)


def first_right(answer: Answer) -> bool | None:
    """Whether the very first candidate is right; None where there is none."""
    return next((one.right for one in answer.iterates if (one.chain, one.index) == (0, 0)), None)


def _of(answer: Answer) -> Iterator[tuple[Cause, int | None, str, bool]]:
    current: dict[int, Iterate] = {}
    for one in answer.iterates:
        before = current.get(one.chain)
        if before is not None and before.right != one.right:
            yield "update" if one.accepted else "rejected", one.index, _general(one.reason), one.right
        if before is None or one.accepted:
            current[one.chain] = one
    if answer.chosen is not None and 0 in current and current[0].right != answer.right:
        yield "selection", None, "", answer.right


def _general(reason: str) -> str:
    return re.sub(r"\d+(?:[.,]\d+)*", "…", reason)
