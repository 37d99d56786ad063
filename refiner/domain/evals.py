"""What an eval has found: the runs of its items, and whether each candidate of them is right."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePath
from typing import Any, Literal

from refiner.domain.calls import Usage
from refiner.domain.task import Kind

Part = Literal["refined", "samples"]
"""What is run of an item: the strategy, and independent answers, of which all controls are made."""

Arm = Literal["refined", "zero-shot", "same-calls", "same-tokens"]
"""What is compared: the strategy's answer, the first sample, and votes over samples at the cost of the strategy."""

CONTROLS: tuple[Arm, ...] = ("zero-shot", "same-calls", "same-tokens")
ARMS: tuple[Arm, ...] = ("refined", *CONTROLS)

EvalStatus = Literal["running", "interrupted", "budget", "failed", "done"]
"""interrupted: its process ended early; budget: its budget did; failed: the provider did. All three can be resumed."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A candidate of a run, and whether it is right.

    answer: what was read from it, equal answers of a run being one text; None where nothing was, and for programs.
    cause: why the gate took or refused it. voter: it has a vote under that gate, as accepted candidates have, and
    rewrites that left their text as it was. visible: whether it passes the tests that the strategy saw, None without
    any. weight: in a weighted vote. spent: what its chain used for it, evaluations and gradients before it included.
    seconds: the run's age when the gate had judged it.
    """

    chain: int
    index: int
    right: bool
    accepted: bool
    voter: bool
    answer: str | None = None
    problem: str | None = None
    cause: str = ""
    visible: bool | None = None
    weight: float = 1.0
    spent: Usage = field(default_factory=Usage)
    seconds: float = 0.0

    @property
    def place(self) -> tuple[int, int]:
        return self.chain, self.index


@dataclass(frozen=True, slots=True)
class Sitting:
    """A part of an item, run once.

    run: its trajectory, None where it was removed or has not begun. over: it has come to its end. failure: why it did
    not get there, "" otherwise (a failure is no wrong answer). stop: why the run ended. selected: chain and index of
    the strategy's own answer. marks: its candidates in the order in which the gate judged them. usage: of the answered
    calls (those that failed count in EvalRow.usage alone), more than the marks add up to where the last candidate was
    criticised in vain. latencies: seconds of each of them.
    """

    run: str | None = None
    over: bool = False
    failure: str = ""
    stop: str = ""
    selected: tuple[int, int] | None = None
    marks: tuple[Mark, ...] = ()
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0
    latencies: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class ItemRow:
    """An item as an eval keeps it. gold: the right answer, None for programs. digest: tells whether it has changed."""

    id: str
    kind: Kind
    gold: str | None = None
    subject: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """An item in one replicate. A part that has not begun is None; samples are None for ever without controls."""

    item: ItemRow
    replicate: int = 0
    refined: Sitting | None = None
    samples: Sitting | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch of an eval's calls at a provider; calls: what they are called there."""

    id: str
    model: str
    base_url: str | None
    calls: frozenset[str]


def sets(datasets: Iterable[str]) -> str:
    """Data sets in words, without the folders that they lie in."""
    parts = (name.rpartition(":") for name in datasets)
    files = ((f"{known}{colon}", PurePath(path)) for known, colon, path in parts)
    return ", ".join(f"{known}{path.name if path.is_absolute() else path}" for known, path in files)


@dataclass(frozen=True, slots=True)
class EvalRow:
    """A line of `eval list`.

    datasets: as the user named them. options: what the eval was told (the settings of its runs by name, vote, control,
    replicates, limits, model, strategy). items: how many there are; over: parts that have come to their end, of parts.
    seconds: time at work. why: what ended it early.
    """

    id: str
    datasets: tuple[str, ...]
    options: Mapping[str, Any]
    status: EvalStatus
    created_at: datetime
    updated_at: datetime
    items: int
    over: int
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0
    why: str = ""

    @property
    def strategy(self) -> str:
        return str(self.options["strategy"])

    @property
    def model(self) -> str:
        return str(self.options["model"])

    @property
    def control(self) -> bool:
        return bool(self.options["control"])

    @property
    def replicates(self) -> int:
        return int(self.options["replicates"])

    @property
    def vote(self) -> str:
        """How the refined answer is chosen: "own", or a rule of refiner.evals.arms."""
        return str(self.options["vote"])

    @property
    def parts(self) -> int:
        return self.items * self.replicates * (2 if self.control else 1)


@dataclass(frozen=True, slots=True)
class Results:
    """An eval with all of its items, in the order of the set, replicates of an item one after another."""

    eval: EvalRow
    answered: tuple[Answered, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an arm makes of an item.

    right: None where the item has no outcome in this arm: it is not over, or it failed. margin: of the vote, (first −
    second) / all voters. voters: how many voted. usage: what the arm's answer took; a shared sample counts in each arm.
    """

    arm: Arm
    right: bool | None
    answer: str | None = None
    place: tuple[int, int] | None = None
    margin: float | None = None
    voters: int = 0
    usage: Usage = field(default_factory=Usage)
    failure: str = ""


Verdicts = Mapping[Arm, Verdict]
