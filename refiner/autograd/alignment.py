"""What two versions of a text have in common, found in a time that does not explode."""

from collections.abc import Hashable, Sequence
from difflib import Match, SequenceMatcher
from typing import TypeVar

T = TypeVar("T", bound=Hashable)
_LONG = 2_000
"""Items from which frequent ones do not anchor the comparison any more, lest it take minutes."""


def edges(old: Sequence[T], new: Sequence[T]) -> tuple[int, int]:
    """How many items two sequences share at their beginning, and how many more at their end."""
    most = min(len(old), len(new))
    start = next((at for at in range(most) if old[at] != new[at]), most)
    end = next((at for at in range(most - start) if old[-1 - at] != new[-1 - at]), most - start)
    return start, end


def shared(old: Sequence[T], new: Sequence[T]) -> list[Match]:
    """The stretches that both have, in order: where in the old, where in the new, how long; the last is empty and
    stands at both ends."""
    start, end = edges(old, new)
    middle = old[start : len(old) - end], new[start : len(new) - end]
    found = SequenceMatcher(None, *middle, autojunk=max(map(len, middle)) > _LONG).get_matching_blocks()[:-1]
    return [
        Match(0, 0, start),
        *(Match(match.a + start, match.b + start, match.size) for match in found),
        Match(len(old) - end, len(new) - end, end),
        Match(len(old), len(new), 0),
    ]
