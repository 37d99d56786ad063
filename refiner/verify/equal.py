"""When two answers are the same."""

import re
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache

import anyio.to_thread

from refiner.domain.task import Kind
from refiner.verify.numbers import canonical, exact, tidy
from refiner.verify.worker import WORKER

_WORD = re.compile(r"[A-Za-z][A-Za-z' -]{2,}")
_LONGEST = 1000
"""Characters of a formula beyond which it is compared by spelling alone."""
_ROUNDED = Fraction(1, 10**6)
"""How far, relative to the larger one, a rounded decimal may be from the value it stands for."""


def normal(parsed: str, kind: Kind) -> str:
    """The one spelling that equal answers of a kind share as far as spelling goes: what votes are counted by.

    "b" is "B", "1,000.0" is "1000", "The  Eiffel tower." is "the eiffel tower". Idempotent.
    """
    match kind:
        case Kind.CHOICE:
            label = " ".join(parsed.split()).strip("(). ")
            return label.upper() if len(label) == 1 else label
        case Kind.NUMBER:
            return canonical(parsed)
        case Kind.TEXT:
            text = " ".join(parsed.casefold().split())
            return text.strip(" .,;:!?\"'`*“”‘’") or text
        case Kind.CODE:
            return "\n".join(line.rstrip() for line in parsed.split("\n")).strip("\n")


def same(a: str, b: str, kind: Kind) -> bool:
    """Whether two answers are equal: by spelling, and for numbers and formulas mathematically.

    "0.5", "1/2" and "50%" are one value; a bare "50" is none of them, but equals "50%", for a question after a
    percentage is answered either way. May wait for math-verify (5 seconds at most): see `same_async`.
    """
    verdict = _spelled(a, b, kind)
    return _equivalent(tidy(a), tidy(b)) if verdict is None else verdict


async def same_async(a: str, b: str, kind: Kind) -> bool:
    """`same`, without holding up the event loop."""
    verdict = _spelled(a, b, kind)
    if verdict is None:
        return await anyio.to_thread.run_sync(_equivalent, tidy(a), tidy(b), abandon_on_cancel=True)
    return verdict


def group(answers: Sequence[str], kind: Kind) -> list[list[int]]:
    """The classes of equal answers, as indices in the order given; classes in the order of their first members."""
    spellings: dict[str, list[int]] = {}
    for index, answer in enumerate(answers):
        spellings.setdefault(normal(answer, kind), []).append(index)
    classes: dict[str, list[int]] = {}
    for spelling, members in spellings.items():
        known = next((first for first in classes if same(first, spelling, kind)), spelling)
        classes.setdefault(known, []).extend(members)
    return [sorted(members) for members in classes.values()]


def _spelled(a: str, b: str, kind: Kind) -> bool | None:
    """What can be told without mathematics; None where it cannot."""
    if normal(a, kind) == normal(b, kind):
        return True
    if kind is not Kind.NUMBER or max(len(a), len(b)) > _LONGEST:
        return False
    if (x := exact(a)) and (y := exact(b)):
        return _equal(*x, *y)
    # Letters are unknowns to math-verify, so that "east" would equal "seat".
    if any(_WORD.fullmatch(tidy(text)) for text in (a, b)):
        return tidy(a).casefold() == tidy(b).casefold()
    return None


def _equal(x: Fraction, x_percent: bool, y: Fraction, y_percent: bool) -> bool:
    if x_percent != y_percent:
        share, other = (x, y) if x_percent else (y, x)
        return other in (share, share / 100)
    if x.denominator == y.denominator == 1:
        return x == y
    return abs(x - y) <= _ROUNDED * max(abs(x), abs(y))


@lru_cache(maxsize=4096)
def _equivalent(a: str, b: str) -> bool:
    return WORKER.same(a, b)
