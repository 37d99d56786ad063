"""What the service answers, as its description says it."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from refiner.domain.calls import Usage
from refiner.domain.events import Event
from refiner.domain.result import Iteration
from refiner.domain.run import Limits, Stop, Tests, Vote


class Answer(BaseModel):
    model_config = ConfigDict(title=None)


class Fault(Answer):
    """What went wrong, in one line that says what to do."""

    kind: str
    message: str
    run: str | None


class Refusal(Answer):
    """The answer to every request that cannot be met."""

    error: Fault


class TaskLine(Answer):
    kind: str
    title: str


class RunLine(Answer):
    """A line of `run list --json`; live: a process drives it. best: the highest score. lead: how many accepted answers
    are the most frequent one, and how many the next."""

    id: str
    status: str
    live: bool
    task: TaskLine
    strategy: str
    model: str
    iterations: int
    calls: int
    tokens: int
    cost_usd: float | None
    stop: str | None
    best: float | None
    lead: tuple[int, int] | None
    created_at: datetime
    updated_at: datetime


class Roles(Answer):
    answer: str
    critic: str
    updater: str


class RunResult(Answer):
    """The object of `solve --json`; one that has not ended stands as it is."""

    version: Literal["refiner.run/1"] = Field(alias="schema")
    id: str
    status: str
    exit: int
    stop: Stop
    task: TaskLine
    strategy: str
    models: Roles
    answer: str | None
    parsed: str | None
    score: float | None
    tests: Tests | None
    votes: list[Vote] | None
    iterations: list[Iteration]
    usage: Usage
    seconds: float
    started_at: datetime
    notes: list[str]


class Recorded(Answer):
    """An event: its id, which rises over all runs, its run, when it was committed, and what its type has."""

    id: int
    run: str
    at: datetime

    @classmethod
    def __get_pydantic_json_schema__(cls, core: Any, handler: Any) -> dict[str, Any]:
        return {"allOf": [handler(core), handler(TypeAdapter(Event).core_schema)]}


class Plan(Answer):
    """The object of `solve --dry-run --json`, and from what cost on a client should ask."""

    version: Literal["refiner.plan/1"] = Field(alias="schema")
    task: TaskLine
    strategy: str
    models: Roles
    chains: int
    iterations: int
    until: str
    limits: Limits
    least: Usage
    expected: Usage
    most: Usage
    confirm_above: float


class Deleted(Answer):
    deleted: str


class Named(Answer):
    """A run that is in the queue by now."""

    id: str


class Told(Answer):
    """A run that was told something."""

    id: str
    asked: str


class Ending(Answer):
    asked: Literal["shutdown"]


class Healthy(Answer):
    """lag: seconds that the loop is behind."""

    ok: bool
    lag: float


class Ready(Answer):
    """live: runs at work; most: how many may be; sandbox: the layer that code runs in; missing: a line each."""

    ok: bool
    live: int
    most: int
    sandbox: str | None
    missing: list[str]


class Version(Answer):
    """pid: of the service; api: rises with what older clients cannot read."""

    version: str
    api: int
    pid: int
