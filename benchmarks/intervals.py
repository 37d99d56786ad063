"""How sure a share of right answers is, and a difference of two."""

from collections.abc import Sequence
from math import sqrt
from random import Random
from statistics import mean

_Z = 1.959964


def wilson(right: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927)."""
    share, spread = right / of, _Z * _Z / of
    middle = (share + spread / 2) / (1 + spread)
    half = _Z * sqrt(share * (1 - share) / of + spread / (4 * of)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def difference(ours: Sequence[bool], theirs: Sequence[bool], draws: int = 10_000) -> tuple[float, float]:
    """The 95 % interval of ours minus theirs on the same items: paired bootstrap, percentiles."""
    gains = [int(one) - int(other) for one, other in zip(ours, theirs, strict=True)]
    random = Random(0)
    means = sorted(mean(random.choices(gains, k=len(gains))) for _ in range(draws))
    return means[int(draws * 0.025)], means[int(draws * 0.975)]
