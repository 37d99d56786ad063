"""Evals at a glance: one, all of them, two side by side."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from refiner.domain.calls import Usage
from refiner.domain.evals import EvalRow, EvalStatus

Outcome = Literal["right", "wrong", "unreadable", "failed", "unjudged", "running", "pending"]
"""What an arm makes of an item. unjudged: there is no gold answer. failed: no answer, which is no wrong one."""

Change = Literal["repaired", "broken", ""]
"""The refined answer against its own first candidate."""


@dataclass(frozen=True, slots=True)
class ArmLine:
    """An arm in figures.

    accuracy, interval: over the items that are judged, at 95 %; None where none is. right, judged, failed, repaired,
    broken: answers. usage: of the judged ones.
    """

    name: str
    accuracy: float | None
    interval: tuple[float, float]
    right: int
    judged: int
    failed: int
    repaired: int
    broken: int
    usage: Usage


@dataclass(frozen=True, slots=True)
class Gain:
    """What an arm's accuracy gains on another's, on the items that both have, with its interval at 95 %.

    p: exact and two-sided; p_corrected for all gains that stand together. better, worse: items.
    """

    ours: str
    theirs: str
    items: int
    difference: float
    interval: tuple[float, float]
    better: int
    worse: int
    p: float
    p_corrected: float


@dataclass(frozen=True, slots=True)
class EvalLine:
    """An eval in a line.

    datasets: as the user named them. over: runs that have come to their end, of parts. seconds: at work, until
    updated_at. arms: None while they are not counted yet.
    """

    id: str
    datasets: tuple[str, ...]
    strategy: str
    model: str
    vote: str
    control: bool
    replicates: int
    status: EvalStatus
    why: str
    items: int
    over: int
    parts: int
    usage: Usage
    seconds: float
    created_at: datetime
    updated_at: datetime
    arms: tuple[ArmLine, ...] | None

    @property
    def live(self) -> bool:
        return self.status == "running"

    def arm(self, name: str) -> ArmLine | None:
        return next((arm for arm in self.arms or () if arm.name == name), None)

    def lasted(self, now: datetime) -> float:
        """Seconds at work."""
        return self.seconds + (max(0.0, (now - self.updated_at).total_seconds()) if self.live else 0.0)

    def to_go(self) -> tuple[float, float | None] | None:
        """Seconds and US dollars that the rest may take; None while nothing is known."""
        if not (self.live and self.over):
            return None
        rest, cost = (self.parts - self.over) / self.over, self.usage.cost_usd
        return self.seconds * rest, None if cost is None else cost * rest


@dataclass(frozen=True, slots=True)
class ItemLine:
    """An item in one replicate. answer: what was read from the refined one. run, samples: where it can be seen.

    tokens, cost_usd: of both runs.
    """

    id: str
    replicate: int
    gold: str | None
    answer: str | None
    outcomes: Mapping[str, Outcome]
    change: Change
    run: str | None
    samples: str | None
    tokens: int
    cost_usd: float | None
    failure: str

    @property
    def name(self) -> str:
        return f"{self.id}#{self.replicate}" if self.replicate else self.id


@dataclass(frozen=True, slots=True)
class EvalState:
    """An eval and its items. correction: how p is corrected, in words, "" for a single gain.

    draws: resamples that the intervals of gains are made of: few while it is live, and when first asked for.
    """

    line: EvalLine
    gains: tuple[Gain, ...]
    correction: str
    draws: int
    items: tuple[ItemLine, ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """The refined answers of two evals to an item; change: of the second against the first."""

    name: str
    first: ItemLine
    second: ItemLine
    change: Literal["better", "worse", "same", ""]


@dataclass(frozen=True, slots=True)
class EvalPair:
    """Two evals, and what each arm of the second gains on that of the first; the rest as of one.

    unpaired: items of one alone, by why.
    """

    first: EvalLine
    second: EvalLine
    gains: tuple[Gain, ...]
    correction: str
    draws: int
    pairs: tuple[Pair, ...]
    unpaired: Mapping[str, int]


def line_of(row: EvalRow, arms: tuple[ArmLine, ...] | None) -> EvalLine:
    return EvalLine(
        row.id,
        row.datasets,
        row.strategy,
        row.model,
        row.vote,
        row.control,
        row.replicates,
        row.status,
        row.why,
        row.items,
        row.over,
        row.parts,
        row.usage,
        row.seconds,
        row.created_at,
        row.updated_at,
        arms,
    )
