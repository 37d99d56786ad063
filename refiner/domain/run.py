"""What a run is asked to do, and the steps that it is made of."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from refiner.domain.calls import Role
from refiner.domain.task import Task
from refiner.domain.tuning import Tuning


class StopReason(StrEnum):
    """Which rule ended a run or a chain."""

    TESTS_PASS = "tests-pass"
    TARGET = "target"
    CONVERGED = "converged"
    AGREED = "agreed"
    VOTE_DECIDED = "vote-decided"
    PATIENCE = "patience"
    ITERATIONS = "iterations"
    CALLS = "calls"
    TOKENS = "tokens"
    COST = "cost"
    TIME = "time"
    SIGNAL = "signal"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Stop:
    """The end of a run or a chain: the rule, and a sentence that says why it fired."""

    reason: StopReason
    detail: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may spend at the very most: calls, tokens (in and out), US dollars, seconds. None is no limit."""

    calls: int | None = None
    tokens: int | None = None
    cost_usd: float | None = None
    seconds: float | None = None


Control = Literal["pause", "resume", "stop", "cancel", "budget", "hold", "edit"]
"""What a live run can be told: to make no further call for now, to go on, to end and keep its best, to end at once,
what it may spend from now on, to wait with the next critique before it is used, and another critique instead."""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """What stands in for the critique of an iteration; blank it is a veto, and the update is left out."""

    chain: int
    iteration: int
    critique: str


@dataclass(frozen=True, slots=True)
class Word:
    """What somebody asked of a live run; `number` rises from word to word.

    limits: the new ones of a budget; of a hold the seconds that it lasts at the most. rewrite: of an edit.
    """

    number: int
    control: Control
    who: str
    limits: Limits | None = None
    rewrite: Rewrite | None = None


@dataclass(frozen=True, slots=True)
class Models:
    """The model of each role, as PROVIDER:NAME, and the base URL where the user named one."""

    answer: str
    critic: str
    updater: str
    base_url: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Each model once."""
        return tuple(dict.fromkeys((self.answer, self.critic, self.updater)))

    def of(self, role: Role) -> str:
        """The model that a role is served by."""
        if role is Role.ANSWER:
            return self.answer
        return self.updater if role in (Role.UPDATER, Role.REPAIR) else self.critic


@dataclass(frozen=True, slots=True)
class Plan:
    """All that decides how a run goes: enough to resume it on another day. It never holds a key.

    chains: how many independent chains at the most. iterations: updates per chain at the most. until: a stop rule in
    words, "" for none. temperature: None leaves it to the strategy, reasoning_effort: None to the model. adaptive: a
    vote may stop when its lead is decided, but not before `least` answers. scrutiny: a program that passes its tests is
    criticised once more. edit_above: lines above which a program is changed by edits. tuning: what a prompt is tuned
    on.
    """

    task: Task
    strategy: str
    models: Models
    limits: Limits = field(default_factory=Limits)
    chains: int = 1
    iterations: int = 3
    until: str = ""
    max_output_tokens: int = 2048
    temperature: float | None = None
    reasoning_effort: str | None = None
    seed: int = 0
    concurrency: int = 8
    adaptive: bool = True
    least: int = 3
    scrutiny: bool = True
    edit_above: int = 200
    tuning: Tuning | None = None


class Phase(StrEnum):
    DRAFT = "draft"
    UPDATE = "update"


class Verdict(StrEnum):
    """What an evaluation comes to."""

    CORRECT = "correct"
    FLAWED = "flawed"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Tests:
    passed: int
    total: int


@dataclass(frozen=True, slots=True)
class Vote:
    """How many candidates stand behind one answer."""

    answer: str
    weight: float
    voters: int
