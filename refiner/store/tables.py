"""The tables: events are the truth; runs and the tables of detail are read off them in the same transaction.

A column that holds a model's words holds the digest of a row in `texts`, so that the prefix which iterations
share is stored once. `uses` says which run needs which text.
"""

import re
from datetime import UTC, datetime

from sqlalchemy import BigInteger, DateTime, Index, Integer, MetaData, String, Table, UniqueConstraint
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import registry
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel

_REFUSED = re.compile("[\x00\ud800-\udfff]")
_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class Moment(TypeDecorator[datetime]):
    """A time with its zone, UTC on the way out; SQLite keeps no zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Line(TypeDecorator[str]):
    """A line to look at: what a database refuses (NUL, lone surrogates) becomes U+FFFD; the event keeps it."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else _REFUSED.sub("\ufffd", value)


class Record(SQLModel, registry=registry(metadata=MetaData(naming_convention=_NAMES))):
    """What all tables share: a metadata of their own, apart from that of a program which uses refiner."""


class Runs(Record, table=True):
    """A line per run.

    owner: the process that holds it, None before it is taken and once it has finished; epoch counts its owners. A run
    of the service's queue has queued_at, who handed it in, and the key that makes a repeated submission the same one;
    crashes counts the services that died over it since a call of it came back last.
    """

    __table_args__ = (Index("uq_runs_key", "key", unique=True),)

    id: str = Field(primary_key=True)
    title: str = Field(default="", sa_type=Line)
    kind: str = ""
    strategy: str = Field(default="", sa_type=Line)
    model: str = Field(default="", sa_type=Line)
    status: str = Field(default="new", index=True)
    stop: str | None = None
    owner: str | None = None
    epoch: int = 0
    created_at: datetime = Field(sa_type=Moment, index=True)
    updated_at: datetime = Field(sa_type=Moment)
    iterations: int = 0
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = 0.0
    queued_at: datetime | None = Field(default=None, sa_type=Moment)
    submitter: str | None = Field(default=None, sa_type=Line)
    priority: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    key: str | None = None
    crashes: int = Field(default=0, sa_column_kwargs={"server_default": "0"})


class OfRun(Record):
    """A row that goes when its run goes."""

    run_id: str = Field(foreign_key="runs.id", ondelete="CASCADE", primary_key=True)


class OfCandidate(OfRun):
    """A row about the candidate of one chain and iteration."""

    chain: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    index: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})


class Candidates(OfCandidate, table=True):
    phase: str
    text: str
    parsed: str | None
    problem: str | None = Field(sa_type=Line)


class OfIteration(OfRun):
    """What one iteration of a chain said about a candidate, which may be that of an earlier iteration."""

    chain: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    iteration: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    index: int


class Evaluations(OfIteration, table=True):
    verdict: str
    critique: str
    score: float | None
    passed: int | None
    total: int | None


class Gradients(OfIteration, table=True):
    text: str


class Decisions(OfCandidate, table=True):
    accepted: bool
    reason: str = Field(sa_type=Line)


class Executions(OfCandidate, table=True):
    """A run of a candidate's program in the sandbox; against: the task's "tests", or others. output: a text."""

    against: str = Field(primary_key=True)
    verdict: str
    passed: int | None
    total: int | None
    seconds: float
    output: str | None


class Calls(OfRun, table=True):
    """An attempt at a call. messages: JSON, [[role, [digest, …]], …]; usage is None while the call is out."""

    key: str = Field(primary_key=True)
    attempt: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    role: str
    model: str = Field(sa_type=Line)
    digest: str = Field(sa_type=Line)
    messages: str
    reply: str | None = None
    finish: str | None = None
    error: str | None = Field(default=None, sa_type=Line)
    calls: int | None = None
    input_tokens: int | None = None
    cached_input_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost_usd: float | None = None
    estimated: bool | None = None
    seconds: float | None = None
    started_at: datetime = Field(sa_type=Moment)
    ended_at: datetime | None = Field(default=None, sa_type=Moment)


class Events(Record, table=True):
    """payload: ASCII JSON, kept as text because PostgreSQL's JSON refuses NaN and part of the escapes."""

    __table_args__ = (UniqueConstraint("run_id", "place"), {"sqlite_autoincrement": True})

    id: int = Field(primary_key=True, sa_type=BigInteger().with_variant(Integer, "sqlite"))
    run_id: str = Field(foreign_key="runs.id", ondelete="CASCADE")
    place: str
    type: str
    at: datetime = Field(sa_type=Moment)
    payload: str


class Words(Record, table=True):
    """What somebody asked of a live run. limits: JSON of a Limits, for an edit of its Rewrite."""

    __table_args__ = ({"sqlite_autoincrement": True},)

    id: int = Field(primary_key=True, sa_type=BigInteger().with_variant(Integer, "sqlite"))
    run_id: str = Field(foreign_key="runs.id", ondelete="CASCADE", index=True)
    control: str
    who: str = Field(sa_type=Line)
    limits: str | None = None
    at: datetime = Field(sa_type=Moment)


class Texts(Record, table=True):
    """digest: SHA-256 of the body as UTF-8, in hex. encoding: "plain" or "zlib"."""

    digest: str = Field(primary_key=True)
    encoding: str
    body: bytes


class Uses(OfRun, table=True):
    __table_args__ = (Index(None, "digest"), {"sqlite_with_rowid": False})

    digest: str = Field(foreign_key="texts.digest", primary_key=True)


class Evals(Record, table=True):
    """owner: the process that runs it. datasets, options: JSON. seconds: at work, up to the last change."""

    id: str = Field(primary_key=True)
    datasets: str
    options: str
    status: str = "running"
    why: str = Field(default="", sa_type=Line)
    owner: str | None = None
    created_at: datetime = Field(sa_type=Moment, index=True)
    updated_at: datetime = Field(sa_type=Moment)
    seconds: float = 0.0


class OfEval(Record):
    """A row about the number-th item of an eval."""

    eval_id: str = Field(foreign_key="evals.id", ondelete="CASCADE", primary_key=True)
    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})


class EvalItems(OfEval, table=True):
    """digest: of all that the item holds, to tell whether it has changed."""

    __tablename__ = "eval_items"

    item: str = Field(sa_type=Line)
    digest: str
    kind: str
    subject: str = Field(sa_type=Line)
    gold: str | None = Field(sa_type=Line)


class Sittings(OfEval, table=True):
    """A part of an item, run once. outcome: JSON, once it is over; it outlives the run."""

    replicate: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    part: str = Field(primary_key=True)
    run_id: str | None = Field(foreign_key="runs.id", ondelete="SET NULL", index=True)
    outcome: str | None = None


class EvalBatches(Record, table=True):
    """A batch that an eval has at a provider. calls: JSON, what its calls are called there."""

    __tablename__ = "eval_batches"

    eval_id: str = Field(foreign_key="evals.id", ondelete="CASCADE", primary_key=True)
    id: str = Field(primary_key=True)
    model: str
    base_url: str | None
    calls: str
    sent_at: datetime = Field(sa_type=Moment)


metadata = Record.metadata


def _table(record: type[Record]) -> Table:
    return metadata.tables[str(record.__tablename__)]


runs, calls, events, words, texts, uses = (_table(record) for record in (Runs, Calls, Events, Words, Texts, Uses))
candidates, executions, evaluations, gradients, decisions = (
    _table(record) for record in (Candidates, Executions, Evaluations, Gradients, Decisions)
)
evals, eval_items, sittings, eval_batches = (_table(record) for record in (Evals, EvalItems, Sittings, EvalBatches))
