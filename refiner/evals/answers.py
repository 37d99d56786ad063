"""What an eval comes to: one answer of one arm to one item, and how it came about."""

from dataclasses import dataclass, field
from typing import Literal

from refiner.domain.calls import Usage

Outcome = Literal["right", "wrong", "unreadable", "failed", "unjudged"]
"""unjudged: there is no gold answer. failed: no answer for want of a provider, budget or sandbox. Neither is wrong."""


@dataclass(frozen=True, slots=True)
class Iterate:
    """A candidate on the way to an answer. reason: the gate's word on it. parsed: equal texts are equal answers."""

    chain: int
    index: int
    accepted: bool
    reason: str
    right: bool
    parsed: str | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """What the answer would have been, had the budget ended here: right or not, for all that was used by then."""

    usage: Usage
    right: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. arm: the strategy or control that gave it; subject: the part of the set, "" for none.

    parsed: what was read from it, None for programs. gold: what is right. failure: why there is no answer. visible:
    whether it passes the tests that the strategy saw, None where there were none. margin: the vote's, from 0 to 1,
    None without one. iterates: programs in the order they were made, others round by round; chosen: chain and index
    of the answer among them. seconds: time at work; latencies: seconds of each call of its run.
    """

    item: str
    arm: str
    replicate: int
    outcome: Outcome
    subject: str = ""
    parsed: str | None = None
    gold: str | None = None
    visible: bool | None = None
    margin: float | None = None
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0
    latencies: tuple[float, ...] = ()
    iterates: tuple[Iterate, ...] = ()
    points: tuple[Point, ...] = ()
    chosen: tuple[int, int] | None = None
    run: str | None = None
    failure: str = ""

    @property
    def right(self) -> bool:
        return self.outcome == "right"

    @property
    def failed(self) -> bool:
        return self.outcome == "failed"

    @property
    def known(self) -> bool:
        """Whether it is right or not."""
        return self.outcome not in ("failed", "unjudged")
