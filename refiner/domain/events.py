"""Everything that can happen in a run. Events are the truth; tables and screens are made from them.

Each event has a `place`, unique within its run: a step that is repeated after a crash has the place it had before,
and is then found instead of done again.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from refiner.domain.calls import Message, Reply, Role, Usage
from refiner.domain.code import Execution
from refiner.domain.run import Phase, Plan, Stop, Tests, Verdict, Vote, Word


@dataclass(frozen=True, slots=True)
class RunStarted:
    """fork: the run, chain and iteration that it begins from, as RUN@CHAIN/ITERATION."""

    plan: Plan
    fork: str | None = None
    type: Literal["run-started"] = "run-started"

    @property
    def place(self) -> str:
        return "run"


@dataclass(frozen=True, slots=True)
class RunResumed:
    """The run goes on in another process; `number` counts the resumptions from 1."""

    number: int
    type: Literal["run-resumed"] = "run-resumed"

    @property
    def place(self) -> str:
        return f"resumed/{self.number}"


@dataclass(frozen=True, slots=True)
class Steered:
    """The run heard what somebody asked of it."""

    word: Word
    type: Literal["steered"] = "steered"

    @property
    def place(self) -> str:
        return f"steered/{self.word.number}"


@dataclass(frozen=True, slots=True)
class CallStarted:
    """A call is about to leave; `reserved` is the most that it can use."""

    key: str
    attempt: int
    role: Role
    model: str
    digest: str
    messages: tuple[Message, ...]
    max_output_tokens: int
    reserved: Usage
    temperature: float | None = None
    seed: int | None = None
    type: Literal["call-started"] = "call-started"

    @property
    def place(self) -> str:
        return f"{self.key}#{self.attempt}/started"


@dataclass(frozen=True, slots=True)
class CallFinished:
    key: str
    attempt: int
    reply: Reply
    type: Literal["call-finished"] = "call-finished"

    @property
    def place(self) -> str:
        return f"{self.key}#{self.attempt}/ended"


@dataclass(frozen=True, slots=True)
class CallFailed:
    """An attempt that brought no reply; `booked` is what it is counted as (its most, if it may have been billed)."""

    key: str
    attempt: int
    error: str
    booked: Usage
    type: Literal["call-failed"] = "call-failed"

    @property
    def place(self) -> str:
        return f"{self.key}#{self.attempt}/ended"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One version of the answer. `parsed` is what was read from it; `problem` says why nothing could be, or why
    the text must not replace another: unreadable, empty, truncated, echoed, unchanged, vetoed."""

    chain: int
    index: int
    phase: Phase
    text: str
    parsed: str | None
    problem: str | None = None
    type: Literal["candidate"] = "candidate"

    @property
    def place(self) -> str:
        return f"{self.chain}/{self.index}/candidate"


@dataclass(frozen=True, slots=True)
class Executed:
    """A candidate's program was run; `against` says on what: the task's own "tests", or some that were made."""

    chain: int
    index: int
    execution: Execution
    against: str = "tests"
    type: Literal["executed"] = "executed"

    @property
    def place(self) -> str:
        return f"{self.chain}/{self.index}/execution/{self.against}"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What is wrong with a candidate: a critique, and a score from 0 to 1 where a verifier gave one.

    iteration: the one that it was made in, where that is not the candidate's own (its last update was rejected).
    edit: the number of the word by which somebody put it in the critic's place.
    """

    chain: int
    index: int
    verdict: Verdict
    critique: str
    score: float | None = None
    tests: Tests | None = None
    iteration: int | None = None
    edit: int | None = None
    type: Literal["evaluation"] = "evaluation"

    @property
    def place(self) -> str:
        return f"{self.at}/evaluation" + ("" if self.edit is None else f"/{self.edit}")

    @property
    def vetoed(self) -> bool:
        """Whether somebody struck it out."""
        return self.edit is not None and not self.critique.strip()

    @property
    def at(self) -> str:
        """Its chain and iteration."""
        return f"{self.chain}/{self.index if self.iteration is None else self.iteration}"


@dataclass(frozen=True, slots=True)
class Gradient:
    """How the candidate should change; `iteration` as in Evaluation."""

    chain: int
    index: int
    text: str
    iteration: int | None = None
    type: Literal["gradient"] = "gradient"

    @property
    def place(self) -> str:
        return f"{self.chain}/{self.index if self.iteration is None else self.iteration}/gradient"


@dataclass(frozen=True, slots=True)
class Decision:
    """The gate's word on a candidate, with its reason in one sentence."""

    chain: int
    index: int
    accepted: bool
    reason: str
    type: Literal["decision"] = "decision"

    @property
    def place(self) -> str:
        return f"{self.chain}/{self.index}/decision"


@dataclass(frozen=True, slots=True)
class Preferred:
    """A comparison of the run's answers, of which `number` counts several, held this candidate's for right."""

    chain: int
    index: int
    number: int
    type: Literal["preferred"] = "preferred"

    @property
    def place(self) -> str:
        return f"preferred/{self.number}"


@dataclass(frozen=True, slots=True)
class ChainStopped:
    """A chain takes no further iteration; `index` is that of its last candidate."""

    chain: int
    index: int
    stop: Stop
    type: Literal["chain-stopped"] = "chain-stopped"

    @property
    def place(self) -> str:
        return f"{self.chain}/stopped"


@dataclass(frozen=True, slots=True)
class Note:
    """Something the user should know: a parameter left out, a text that was cut."""

    text: str
    type: Literal["note"] = "note"

    @property
    def place(self) -> str:
        return f"note/{self.text}"


@dataclass(frozen=True, slots=True)
class Selected:
    """The answer was chosen: the candidate, and the votes where there were any; `number` as in RunFinished."""

    chain: int
    index: int
    votes: tuple[Vote, ...] = ()
    number: int = 0
    type: Literal["selected"] = "selected"

    @property
    def place(self) -> str:
        return f"selected/{self.number}"


@dataclass(frozen=True, slots=True)
class RunFinished:
    """The run is over for now; an interrupted one may be resumed, and `number` counts those endings from 0.

    kind: that of the error which a failed one ended with.
    """

    status: Literal["done", "interrupted", "failed"]
    exit: int
    stop: Stop
    number: int = 0
    kind: str | None = None
    type: Literal["run-finished"] = "run-finished"

    @property
    def place(self) -> str:
        return f"finished/{self.number}"


Event = (
    RunStarted
    | RunResumed
    | Steered
    | CallStarted
    | CallFinished
    | CallFailed
    | Candidate
    | Executed
    | Evaluation
    | Gradient
    | Decision
    | Preferred
    | ChainStopped
    | Note
    | Selected
    | RunFinished
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event as it was committed: its row id (rising over all runs), its run, and when (UTC)."""

    id: int
    run: str
    at: datetime
    event: Event

    def to_json(self) -> dict[str, Any]:
        """The event as a line of `--jsonl` and as the service sends it."""
        return {"id": self.id, "run": self.run, "at": self.at.isoformat(), **asdict(self.event)}


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of a reply that is still being written; seen live, never stored."""

    run: str
    key: str
    text: str


Heard = Recorded | Delta
"""What whoever follows a run hears."""
