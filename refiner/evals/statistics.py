"""How sure a figure is: intervals, tests and estimators over right and wrong answers.

Everything is exact or seeded, and needs the standard library alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb, sqrt
from random import Random
from statistics import NormalDist, fmean
from typing import NamedTuple

SUBSETS = 2_000
"""Subsets of the samples above which maj@k draws so many of them instead of taking all."""


class Interval(NamedTuple):
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Difference:
    """The mean of ours less theirs over the items, and its interval."""

    mean: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class Bin:
    """The items whose vote margin lies from low (included) to high (only the last bin includes it).

    margin: their mean margin; accuracy: the share of them that is right.
    """

    low: float
    high: float
    items: int
    margin: float
    accuracy: float
    interval: Interval


def wilson(right: float, of: float, level: float = 0.95) -> Interval:
    """The interval of a share (Wilson 1927); of nothing it is everything."""
    if not of:
        return Interval(0.0, 1.0)
    z = NormalDist().inv_cdf((1 + level) / 2)
    share, spread = right / of, z * z / of
    middle = (share + spread / 2) / (1 + spread)
    half = z * sqrt(share * (1 - share) / of + spread / (4 * of)) / (1 + spread)
    return Interval(0.0 if right == 0 else middle - half, 1.0 if right == of else middle + half)


def mcnemar(repaired: int, broken: int) -> float:
    """The exact two-sided p of McNemar's test (1947): how likely so uneven a split is where both are as likely."""
    changed = repaired + broken
    tail = term = 1
    for number in range(min(repaired, broken)):
        term = term * (changed - number) // (number + 1)
        tail += term
    return min(1.0, 2 * tail / (1 << changed))


def holm(ps: Sequence[float]) -> list[float]:
    """The p values, in their order, corrected for their number (Holm 1979)."""
    corrected, highest = [0.0] * len(ps), 0.0
    for rank, index in enumerate(sorted(range(len(ps)), key=lambda index: ps[index])):
        highest = max(highest, min(1.0, (len(ps) - rank) * ps[index]))
        corrected[index] = highest
    return corrected


def paired_bootstrap(
    ours: Sequence[float], theirs: Sequence[float], *, draws: int = 10_000, seed: int = 0, level: float = 0.95
) -> Difference:
    """The difference on the same items, its interval by percentiles of resampled means (Efron 1979).

    Figures of the same seed are the same to the digit. Raises ValueError without items, or where their numbers differ.
    """
    gains = [one - other for one, other in zip(ours, theirs, strict=True)]
    if not gains:
        raise ValueError("there are no items to compare")
    random, number = Random(seed), len(gains)  # noqa: S311
    sums = sorted(sum(random.choices(gains, k=number)) for _ in range(draws))
    tail = int(draws * (1 - level) / 2)
    return Difference(fmean(gains), Interval(sums[tail] / number, sums[draws - 1 - tail] / number))


def pass_at_k(samples: int, right: int, k: int) -> float:
    """The chance that one of k samples is right, unbiased from n ≥ k of them (Chen et al. 2107.03374)."""
    if not 0 < k <= samples:
        raise ValueError(f"pass@{k} needs at least {k} samples, there are {samples}")
    return 1 - comb(samples - right, k) / comb(samples, k)


def majority(answers: Sequence[str | None]) -> str | None:
    """The most frequent answer; ties go to the earlier one, and None never votes."""
    voters = [answer for answer in answers if answer is not None]
    return max(dict.fromkeys(voters), key=voters.count, default=None)


def maj_at_k(answers: Sequence[str | None], gold: str, k: int, *, seed: int = 0) -> float:
    """The chance that the majority of k of the samples is right: over all subsets, or many drawn with the seed."""
    if not 0 < k <= len(answers):
        raise ValueError(f"maj@{k} needs at least {k} samples, there are {len(answers)}")
    if comb(len(answers), k) <= SUBSETS:
        return fmean(majority(subset) == gold for subset in combinations(answers, k))
    random, places = Random(seed), range(len(answers))  # noqa: S311
    drawn = (sorted(random.sample(places, k)) for _ in range(SUBSETS))
    return fmean(majority([answers[place] for place in subset]) == gold for subset in drawn)


def calibration(margins: Sequence[float], rights: Sequence[bool], bins: int = 5) -> list[Bin]:
    """How often votes are right, by their margin from 0 to 1: (first − second) / all voters; no empty bins."""
    found: list[Bin] = []
    pairs = list(zip(margins, rights, strict=True))
    for number in range(bins):
        within = [pair for pair in pairs if min(int(pair[0] * bins), bins - 1) == number]
        if within:
            right = sum(one for _, one in within)
            interval = wilson(right, len(within))
            margin = fmean(one for one, _ in within)
            found.append(Bin(number / bins, (number + 1) / bins, len(within), margin, right / len(within), interval))
    return found
