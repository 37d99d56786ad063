"""The figures of an eval: every arm by itself, and every strategy against every control on the same items."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from math import ceil
from statistics import fmean
from typing import Any

from refiner.domain.calls import Usage
from refiner.evals.answers import Answer, Iterate
from refiner.evals.curves import PRICES, Spot, What, curve, frontier
from refiner.evals.flips import Flip, first_right, flips
from refiner.evals.repeated import Share, gains, pooled, sign_flip
from refiner.evals.statistics import Bin, Difference, calibration, holm, maj_at_k, paired_bootstrap, pass_at_k

SCHEMA = "refiner.eval/1"
DRAWS = 10_000
"""Resamples of a bootstrap; fewer where they would be drawn of more than a thousand items."""


@dataclass(frozen=True, slots=True)
class Seconds:
    """How long it took: the mean, and what half, nine of ten, and all of them stayed within."""

    mean: float
    median: float
    ninety: float
    longest: float


@dataclass(frozen=True, slots=True)
class AtK:
    """Of k chains, by their last candidates: the chance that one is right, and that their majority is.

    Programs have no majority, and where there is nothing else it is None."""

    k: int
    passed: float
    majority: float | None


@dataclass(frozen=True, slots=True)
class ArmFigures:
    """The figures of one strategy or control.

    accuracy, and every share and mean, is over the answers that did not fail; unreadable ones are wrong. drafts: that
    of the first candidates. repaired, broken: answers against their own first candidate. deceived: of the answers that
    pass the visible tests, the share that fails the hidden ones. usage: of all answers, failed ones included. cached:
    share of its prompts' tokens; per_right: its US dollars for each right answer. seconds: of an answer; latency: of a
    call. over: the anytime curves.
    """

    name: str
    control: bool
    answers: int
    failed: int
    unreadable: int
    accuracy: Share
    drafts: Share
    repaired: int
    broken: int
    deceived: Share
    usage: Usage
    cached: float | None
    mean_calls: float
    mean_tokens: float
    mean_cost_usd: float | None
    per_right: float | None
    seconds: Seconds | None
    latency: Seconds | None
    flips: tuple[Flip, ...]
    calibration: tuple[Bin, ...]
    at_k: tuple[AtK, ...]
    over: Mapping[What, tuple[Spot, ...]]
    subjects: Mapping[str, Share]
    on_frontier: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """Ours against theirs on the items that both answered; better, worse: items by the sign of their difference.

    unpaired: items that only one of them answered. p is the exact test's, p_corrected Holm's for all comparisons that
    stand together. difference is None where no item is paired.
    """

    ours: str
    theirs: str
    items: int
    unpaired: int
    difference: Difference | None
    better: int
    worse: int
    p: float
    p_corrected: float


@dataclass(frozen=True, slots=True)
class Figures:
    """All that a report says in figures. correction: in words, "" for a single comparison."""

    items: int
    replicates: int
    arms: tuple[ArmFigures, ...]
    comparisons: tuple[Comparison, ...]
    correction: str
    draws: int
    seed: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def figures(answers: Sequence[Answer], controls: Sequence[str] = (), seed: int = 0) -> Figures:
    """The figures of all answers. controls: the arms that the others are compared with; the order of arms is kept."""
    ordered = sorted(answers, key=lambda one: (one.item, one.replicate))
    by_arm = {name: [one for one in ordered if one.arm == name] for name in dict.fromkeys(one.arm for one in answers)}
    arms = [_arm(name, own, seed, control=name in controls) for name, own in by_arm.items()]
    best = set(
        frontier((arm.name, _price(arm, arms), share) for arm in arms if (share := arm.accuracy.share) is not None)
    )
    pairs = [(ours, theirs) for ours in by_arm if ours not in controls for theirs in controls if theirs in by_arm]
    every = (compare(ours, by_arm[ours], theirs, by_arm[theirs], seed) for ours, theirs in pairs)
    compared = corrected([one for one in every if one.items])
    items = len({one.item for one in answers})
    return Figures(
        items,
        max((one.replicate for one in answers), default=-1) + 1,
        tuple(replace(arm, on_frontier=arm.name in best) for arm in arms),
        compared,
        correction(len(compared)),
        draws(items),
        seed,
    )


def compare(
    ours: str, mine: Iterable[Answer], theirs: str, others: Iterable[Answer], seed: int = 0, *, most: int = DRAWS
) -> Comparison:
    """Two arms item by item, each item by the share of its replicates that is right. most: resamples."""
    left, right = by_item(mine), by_item(others)
    both = sorted(left.keys() & right.keys())
    gained = gains([left[item] for item in both], [right[item] for item in both])
    shares = [[fmean(side[item]) for item in both] for side in (left, right)]
    p = sign_flip(gained)
    return Comparison(
        ours,
        theirs,
        len(both),
        len(left.keys() ^ right.keys()),
        paired_bootstrap(*shares, draws=min(most, draws(len(both))), seed=seed) if both else None,
        sum(one > 0 for one in gained),
        sum(one < 0 for one in gained),
        p,
        p,
    )


def corrected(comparisons: Sequence[Comparison]) -> tuple[Comparison, ...]:
    """The comparisons with p corrected for their number."""
    ps = holm([one.p for one in comparisons])
    return tuple(replace(one, p_corrected=p) for one, p in zip(comparisons, ps, strict=True))


def correction(comparisons: int) -> str:
    return f"Holm's, over {comparisons} comparisons" if comparisons > 1 else ""


def draws(items: int) -> int:
    return min(DRAWS, max(1_000, DRAWS * 1_000 // max(items, 1)))


def by_item(answers: Iterable[Answer]) -> dict[str, list[bool]]:
    """Right or not by item, for those with an answer."""
    found: dict[str, list[bool]] = {}
    for one in answers:
        if one.known:
            found.setdefault(one.item, []).append(one.right)
    return found


def _arm(name: str, answers: Sequence[Answer], seed: int, *, control: bool) -> ArmFigures:
    given = [one for one in answers if not one.failed]
    known = [one for one in given if one.known]
    usage, own = (sum((one.usage for one in every), Usage()) for every in (answers, given))
    starts = [(one, first) for one in known if (first := first_right(one)) is not None]
    right, number = sum(one.right for one in known), max(1, len(given))
    return ArmFigures(
        name,
        control,
        len(answers),
        len(answers) - len(given),
        sum(one.outcome == "unreadable" for one in given),
        pooled(by_item(known).values()),
        _grouped((one.item, first) for one, first in starts),
        sum(one.right and not first for one, first in starts),
        sum(first and not one.right for one, first in starts),
        _grouped((one.item, not one.right) for one in known if one.visible),
        usage,
        usage.cached_input_tokens / usage.input_tokens if usage.input_tokens else None,
        own.calls / number,
        own.tokens / number,
        None if own.cost_usd is None else own.cost_usd / number,
        None if usage.cost_usd is None or not right else usage.cost_usd / right,
        _seconds([one.seconds for one in given]),
        _seconds([seconds for one in given for seconds in one.latencies]),
        flips(known),
        tuple(_bins(known)),
        tuple(_at_k(known, seed)),
        {what: spots for what in PRICES if (spots := curve(known, what))},
        {
            subject: pooled(by_item(group).values())
            for subject, group in groupby(sorted(known, key=lambda one: one.subject), lambda one: one.subject)
            if subject
        },
    )


def _grouped(pairs: Iterable[tuple[str, bool]]) -> Share:
    groups: dict[str, list[bool]] = {}
    for item, value in pairs:
        groups.setdefault(item, []).append(value)
    return pooled(groups.values())


def _bins(given: Sequence[Answer]) -> Iterator[Bin]:
    voted = [(one, one.margin) for one in given if one.margin is not None]
    for found in calibration([margin for _, margin in voted], [one.right for one, _ in voted]):
        within = (one for one, margin in voted if found.low <= margin and (margin < found.high or found.high == 1))
        share = pooled(by_item(within).values())
        yield replace(found, accuracy=share.share or 0.0, interval=share.interval)


def _at_k(given: Sequence[Answer], seed: int) -> Iterator[AtK]:
    """For k of 1, 2, 4, … and as many chains as every answer has; nothing where one has a single chain."""
    samples = [(one, _finals(one.iterates)) for one in given]
    least = min((len(finals) for _, finals in samples), default=0)
    for k in sorted({1 << power for power in range(least.bit_length())} | {least}) if least > 1 else ():
        passed, voted = dict[str, list[float]](), dict[str, list[float]]()
        for answer, finals in samples:
            passed.setdefault(answer.item, []).append(pass_at_k(len(finals), sum(one.right for one in finals), k))
            if answer.gold is not None:
                gold = next((one.parsed for one in finals if one.right and one.parsed is not None), "")
                chance = maj_at_k([one.parsed for one in finals], gold, k, seed=seed)
                voted.setdefault(answer.item, []).append(chance)
        yield AtK(k, _mean(passed) or 0.0, _mean(voted))


def _finals(iterates: Sequence[Iterate]) -> list[Iterate]:
    """What each chain kept last; of one that kept nothing its last, which is a sample as well."""
    last = {each.chain: each for each in sorted(iterates, key=lambda each: each.accepted)}
    return [last[chain] for chain in sorted(last)]


def _mean(groups: Mapping[str, Sequence[float]]) -> float | None:
    return fmean(map(fmean, groups.values())) if groups else None


def _seconds(times: Sequence[float]) -> Seconds | None:
    if not times:
        return None
    ranked = sorted(times)
    half, ninety = (ranked[ceil(len(ranked) * share) - 1] for share in (0.5, 0.9))
    return Seconds(fmean(times), half, ninety, ranked[-1])


def _price(arm: ArmFigures, arms: Iterable[ArmFigures]) -> float:
    """What an answer takes: US dollars where any arm costs some and all are known, else tokens."""
    priced = all(one.mean_cost_usd is not None for one in arms) and any(one.mean_cost_usd for one in arms)
    return (arm.mean_cost_usd or 0.0) if priced else arm.mean_tokens
