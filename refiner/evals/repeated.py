"""Figures over items that were answered several times: the replicates of one item are not independent answers."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import comb, lcm
from statistics import fmean

from refiner.evals.statistics import Interval, mcnemar, wilson


@dataclass(frozen=True, slots=True)
class Share:
    """The mean over the items of an item's own share, and its interval; share is None where there is no item."""

    share: float | None
    interval: Interval
    items: int
    answers: int


def pooled(groups: Iterable[Sequence[bool]]) -> Share:
    """The share over items, each with its replicates.

    The interval is Wilson's at the effective number of answers (Korn & Graubard 1998): that of the items where the
    replicates of an item always agree, that of the answers where they agree no more than those of different items.
    """
    every = [group for group in groups if group]
    if not every:
        return Share(None, wilson(0, 0), 0, 0)
    means, answers = [fmean(group) for group in every], sum(map(len, every))
    if answers == len(every):
        right = sum(map(sum, every))
        return Share(right / answers, wilson(right, answers), answers, answers)
    mean = fmean(means)
    spread = fmean((one - mean) ** 2 for one in means)
    size = min(answers, len(every) * mean * (1 - mean) / spread) if spread else answers if 0 < mean < 1 else len(every)
    return Share(mean, wilson(mean * size, size), len(every), answers)


def gains(ours: Sequence[Sequence[bool]], theirs: Sequence[Sequence[bool]]) -> list[int]:
    """What our share gains on theirs, item by item, in units so small that every gain is whole."""
    parts = [
        Fraction(sum(mine), len(mine)) - Fraction(sum(other), len(other))
        for mine, other in zip(ours, theirs, strict=True)
    ]
    unit = lcm(*(part.denominator for part in parts))
    return [int(part * unit) for part in parts]


def sign_flip(gained: Sequence[int]) -> float:
    """The exact two-sided p of so large a sum, where each item's gain might as well have been a loss (Fisher 1935).

    With one replicate it is McNemar's exact test.
    """
    sizes = Counter(abs(one) for one in gained if one)
    if len(sizes) < 2:
        return mcnemar(sum(one > 0 for one in gained), sum(one < 0 for one in gained))
    ways = Counter({0: 1})
    for size, number in sizes.items():
        row = [(size * (2 * gaining - number), comb(number, gaining)) for gaining in range(number + 1)]
        further = Counter[int]()
        for total, count in ways.items():
            for step, more in row:
                further[total + step] += count * more
        ways = further
    reached = abs(sum(gained))
    return sum(count for total, count in ways.items() if abs(total) >= reached) / (1 << sizes.total())


def kappa(first: Sequence[str], second: Sequence[str]) -> float | None:
    """How much two judges agree beyond chance (Cohen 1960): 1 is always, 0 as by chance; None where chance is all."""
    pairs = list(zip(first, second, strict=True))
    if not pairs:
        return None
    said, number = (Counter(first), Counter(second)), len(pairs)
    seen = sum(one == other for one, other in pairs) / number
    chance = sum(said[0][word] * said[1][word] for word in said[0]) / number**2
    return None if chance == 1 else (seen - chance) / (1 - chance)
