"""What is read from the database, each by one function over a connection."""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any
from zlib import error as ZlibError  # noqa: N812

from sqlalchemy import Connection, Select, and_, desc, exists, func, or_, select

from refiner.domain.calls import Finish, Message, Role, Usage
from refiner.domain.errors import AmbiguousError, NotFoundError, StoreError
from refiner.domain.events import Recorded
from refiner.domain.run import Control, Limits, Rewrite, Word
from refiner.domain.store import RunRow
from refiner.store import tables
from refiner.store.codec import decode, refs
from refiner.store.projection import unpack_messages
from refiner.store.texts import load

Living = Callable[[Collection[str], Connection], set[str]]
"""Which of these owners are alive."""

DAMAGED = (KeyError, ValueError, ZlibError)
"""What a row that is not as it was written raises when it is read."""

_OF_EVAL = exists().where(tables.sittings.c.run_id == tables.runs.c.id)


@dataclass(frozen=True, slots=True)
class CallRow:
    """An attempt at a call, for `run log`. seconds: the provider's latency, or the time until the attempt failed;
    usage and seconds are None while it is out, and reply is None unless it was answered."""

    key: str
    attempt: int
    role: Role
    model: str
    digest: str
    messages: tuple[Message, ...]
    reply: str | None
    finish: Finish | None
    usage: Usage | None
    seconds: float | None
    error: str | None
    started_at: datetime


@dataclass(frozen=True, slots=True)
class Totals:
    """What the runs of one status come to. cost_usd: of the calls whose price is known."""

    status: str
    runs: int
    calls: int
    tokens: int
    cost_usd: float


def read_events(connection: Connection, run: str, after: int) -> list[Recorded]:
    """The run's events with an id above `after`, in order. Raises StoreError where one cannot be read."""
    of = tables.events.c
    query = select(of.id, of.at, of.payload).where(of.run_id == run, of.id > after).order_by(of.id)
    rows = connection.execute(query).all()
    try:
        texts = load(connection, {digest for _, _, payload in rows for digest in refs(payload)})
        return [Recorded(number, run, at, decode(payload, texts)) for number, at, payload in rows]
    except DAMAGED as error:
        raise _damaged(run) from error


def read_feed(connection: Connection, after: int, limit: int) -> list[Recorded]:
    """The events of all runs with an id above `after`, in order. Raises StoreError where one cannot be read."""
    of = tables.events.c
    query = select(of.id, of.run_id, of.at, of.payload).where(of.id > after).order_by(of.id).limit(limit)
    rows = connection.execute(query).all()
    try:
        texts = load(connection, {digest for row in rows for digest in refs(row.payload)})
        return [Recorded(row.id, row.run_id, row.at, decode(row.payload, texts)) for row in rows]
    except DAMAGED as error:
        raise _damaged(rows[0].run_id) from error


def read_calls(connection: Connection, run: str) -> list[CallRow]:
    """Every attempt of the run, in the order they left. Raises StoreError where one cannot be read."""
    of, uses = tables.calls.c, tables.uses.c
    query = select(tables.calls).where(of.run_id == run).order_by(of.started_at, of.key, of.attempt)
    try:
        texts = load(connection, connection.scalars(select(uses.digest).where(uses.run_id == run)))
        return [_call(row, texts) for row in connection.execute(query)]
    except DAMAGED as error:
        raise _damaged(run) from error


def read_runs(
    connection: Connection, living: Living, limit: int, offset: int = 0, since: datetime | None = None
) -> list[RunRow]:
    """The latest runs, newest first; one that a process died over is "interrupted", a service's "queued".

    Those of evals are left to them.
    """
    of = tables.runs.c
    query = select(tables.runs).where(~_OF_EVAL).order_by(desc(of.created_at), desc(of.id)).limit(limit).offset(offset)
    if since is not None:
        query = query.where(or_(of.updated_at >= since.astimezone(UTC), of.owner.is_not(None)))
    rows = connection.execute(query).all()
    alive = living({row.owner for row in rows if row.owner}, connection)
    shown = query.with_only_columns(of.id)
    best, leads = _best(connection, shown), _leads(connection, shown)
    return [replace(_run(row, live=row.owner in alive), best=best.get(row.id), lead=leads.get(row.id)) for row in rows]


def _best(connection: Connection, runs: Select[Any]) -> dict[str, float]:
    """The highest score in each run: of its evaluations, or the share of its tests that passed."""
    scored, tried = tables.evaluations.c, tables.executions.c
    share = func.max(tried.passed * 1.0 / tried.total)
    passed = select(tried.run_id, share).where(tried.against == "tests", tried.total > 0, tried.run_id.in_(runs))
    scores = select(scored.run_id, func.max(scored.score)).where(scored.score.is_not(None), scored.run_id.in_(runs))
    rows = [*connection.execute(scores.group_by(scored.run_id)), *connection.execute(passed.group_by(tried.run_id))]
    return {run: float(score) for run, score in rows}


def _leads(connection: Connection, runs: Select[Any]) -> dict[str, tuple[int, int]]:
    """How many accepted answers of each run are the most frequent one, and how many the next; not for long ones."""
    of, said = tables.candidates.c, tables.decisions.c
    same = and_(of.run_id == said.run_id, of.chain == said.chain, of.index == said.index)
    compared = select(tables.runs.c.id).where(tables.runs.c.kind.in_(("choice", "number")))
    query = select(of.run_id, func.count()).join(tables.decisions, same)
    query = query.where(said.accepted, of.parsed.is_not(None), of.run_id.in_(runs), of.run_id.in_(compared))
    counts: dict[str, list[int]] = {}
    for run, count in connection.execute(query.group_by(of.run_id, of.parsed)):
        counts.setdefault(run, [0, 0]).append(count)
    return {run: (most, next_) for run, (most, next_, *_) in ((run, sorted(n)[::-1]) for run, n in counts.items())}


def read_totals(connection: Connection) -> list[Totals]:
    """What all runs come to, by the status that they have in the table."""
    of = tables.runs.c
    sums = (func.sum(each) for each in (of.calls, of.input_tokens + of.output_tokens, func.coalesce(of.cost_usd, 0)))
    query = select(of.status, func.count(), *sums).group_by(of.status).order_by(of.status)
    return [
        Totals(status, runs, int(calls), int(tokens), float(cost))
        for status, runs, calls, tokens, cost in connection.execute(query)
    ]


def read_words(connection: Connection, run: str, after: int) -> list[Word]:
    """The words with a number above `after` that were left for the run, in order."""
    of = tables.words.c
    rows = connection.execute(select(tables.words).where(of.run_id == run, of.id > after).order_by(of.id))
    return [_word(row.id, row.control, row.who, json.loads(row.limits) if row.limits else None) for row in rows]


def read_told(connection: Connection, after: int) -> list[tuple[int, str]]:
    """The numbers above `after` of the words that were left, in order, and for which runs."""
    of = tables.words.c
    rows = connection.execute(select(of.id, of.run_id).where(of.id > after).order_by(of.id))
    return [(row.id, row.run_id) for row in rows]


def find_run(connection: Connection, prefix: str) -> str:
    """The id that a prefix, or "@" for the latest, stands for. Raises NotFoundError or AmbiguousError."""
    of = tables.runs.c
    query: Select[str] = select(of.id).order_by(desc(of.created_at), desc(of.id))
    if prefix == "@":
        latest = connection.scalar(query.where(~_OF_EVAL).limit(1))
        if latest is None:
            raise NotFoundError("there is no run yet: `refiner solve` makes one")
        return latest
    known = prefix and prefix.isprintable()
    found = connection.scalars(query.where(of.id.startswith(prefix.lower(), autoescape=True))).all() if known else []
    if prefix.lower() in found:
        return prefix.lower()
    if not found:
        raise NotFoundError(f"no run is called {prefix!r}: `refiner run list` shows those there are")
    if len(found) > 1:
        some = ", ".join(found[:3]) + (", …" if len(found) > 3 else "")
        raise AmbiguousError(f"{prefix!r} stands for {len(found)} runs ({some}): write more of the id")
    return found[0]


def _word(number: int, control: Control, who: str, told: dict[str, Any] | None) -> Word:
    if told is None:
        return Word(number, control, who)
    if control == "edit":
        return Word(number, control, who, rewrite=Rewrite(**told))
    return Word(number, control, who, Limits(**told))


def _call(row: Any, texts: Mapping[str, str]) -> CallRow:
    waited = max(0.0, (row.ended_at - row.started_at).total_seconds()) if row.ended_at else None
    return CallRow(
        key=row.key,
        attempt=row.attempt,
        role=Role(row.role),
        model=row.model,
        digest=row.digest,
        messages=unpack_messages(row.messages, texts),
        reply=None if row.reply is None else texts[row.reply],
        finish=None if row.finish is None else Finish(row.finish),
        usage=None if row.calls is None else Usage(**{each.name: getattr(row, each.name) for each in fields(Usage)}),
        seconds=waited if row.seconds is None else row.seconds,
        error=row.error,
        started_at=row.started_at,
    )


def _run(row: Any, *, live: bool) -> RunRow:
    left = "queued" if row.queued_at else "interrupted"
    return RunRow(
        id=row.id,
        title=row.title,
        kind=row.kind,
        strategy=row.strategy,
        model=row.model,
        status=row.status if live or row.status not in ("new", "running", "paused") else left,
        live=live,
        created_at=row.created_at,
        updated_at=row.updated_at,
        iterations=row.iterations,
        calls=row.calls,
        tokens=row.input_tokens + row.output_tokens,
        cost_usd=row.cost_usd,
        stop=row.stop,
    )


def _damaged(run: str) -> StoreError:
    return StoreError(f"run {run} cannot be read (damaged, or of a newer refiner): `refiner db check` says more")
