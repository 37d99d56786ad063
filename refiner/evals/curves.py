"""Accuracy over what it takes: what an arm's answers were worth after so many calls, tokens or dollars."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from refiner.domain.calls import Usage
from refiner.evals.answers import Answer
from refiner.evals.repeated import pooled
from refiner.evals.statistics import Interval

What = Literal["calls", "tokens", "cost"]
PRICES: tuple[What, ...] = ("calls", "tokens", "cost")

MOST = 40
"""Points of a curve."""


@dataclass(frozen=True, slots=True)
class Spot:
    """Accuracy where every answer may take `limit`; spent is what they took, on average."""

    limit: float
    spent: float
    accuracy: float
    interval: Interval


def used(usage: Usage, what: What) -> float | None:
    """Calls, tokens or US dollars of a usage."""
    return {"calls": usage.calls, "tokens": usage.tokens, "cost": usage.cost_usd}[what]


def curve(answers: Sequence[Answer], what: What) -> tuple[Spot, ...]:
    """The anytime curve of an arm; an item without an answer within the limit is wrong. Empty where it is not known."""
    tracks = [(answer.item, track) for answer in answers if not answer.failed and (track := _track(answer, what))]
    limits = sorted({at for _, track in tracks for at, _ in track})
    if len(tracks) < sum(not answer.failed for answer in answers) or not limits or not limits[-1]:
        return ()
    return tuple(_spot(tracks, limit) for limit in _thinned(limits))


def frontier(points: Iterable[tuple[str, float, float]]) -> tuple[str, ...]:
    """The names of those (name, price, worth) than which none is worth as much for less, or more for as much."""
    every, kept, best = list(points), list[str](), float("-inf")
    for name, _, worth in sorted(every, key=lambda point: (point[1], -point[2])):
        if worth > best:
            kept.append(name)
            best = worth
    return tuple(name for name, _, _ in every if name in kept)


def _track(answer: Answer, what: What) -> list[tuple[float, bool]]:
    """What was used and whether the answer was right by then, in rising order; the end is the answer itself."""
    found = [(used(point.usage, what), point.right) for point in answer.points]
    end = used(answer.usage, what)
    if end is None or any(at is None for at, _ in found):
        return []
    track = [(at, right) for at, right in found if at is not None and at <= end]
    return [*track, (end, answer.right)]


def _spot(tracks: Iterable[tuple[str, list[tuple[float, bool]]]], limit: float) -> Spot:
    groups, spent = defaultdict[str, list[bool]](list), list[float]()
    for item, track in tracks:
        reached = bisect_right(track, limit, key=lambda point: point[0])
        groups[item].append(track[reached - 1][1] if reached else False)
        spent.append(track[reached - 1][0] if reached else 0.0)
    share = pooled(groups.values())
    return Spot(limit, fmean(spent), share.share or 0.0, share.interval)


def _thinned(limits: Sequence[float]) -> list[float]:
    if len(limits) <= MOST:
        return list(limits)
    return [limits[round(at * (len(limits) - 1) / (MOST - 1))] for at in range(MOST)]
