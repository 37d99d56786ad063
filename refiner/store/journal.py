"""Appends of many runs written in one transaction: events first, then what is read off them."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import count

from sqlalchemy import Connection, Table, bindparam, insert, select, text

from refiner.domain.errors import StoreError
from refiner.domain.events import Event, Recorded
from refiner.store import tables
from refiner.store.codec import encode, slot
from refiner.store.projection import END_CALL, UPDATE_RUN, Change, Row, project
from refiner.store.texts import Texts

_ADD = insert(tables.events)
_LAST = {"sqlite": text("SELECT last_insert_rowid()"), "postgresql": text("SELECT lastval()")}
"""The id of the row that was added last; whoever holds the write lock counts on from one to the next."""
_OWNERS = select(tables.runs.c.id, tables.runs.c.owner).where(tables.runs.c.id.in_(bindparam("runs", expanding=True)))


@dataclass(frozen=True, slots=True)
class Append:
    """Events that a run commits together."""

    run: str
    at: datetime
    events: Sequence[Event]


def write(connection: Connection, owner: str, appends: Sequence[Append]) -> list[list[Recorded]]:
    """Write them all.

    Raises StoreError for a run that is gone or that `owner` does not hold, and SQLAlchemy's IntegrityError for an
    event whose place is taken.
    """
    texts = Texts()
    events: list[Row] = []
    details: defaultdict[Table, list[Row]] = defaultdict(list)
    ended: list[Row] = []
    changes: defaultdict[str, Change] = defaultdict(Change)
    for append in appends:
        put = partial(texts.put, append.run)
        changes[append.run] += Change()
        for event in append.events:
            row = {"run_id": append.run, "place": slot(event.place), "type": event.type, "at": append.at}
            events.append(row | {"payload": encode(event, put)})
            written = project(append.run, append.at, event, put)
            changes[append.run] += written.change
            if written.insert is not None:
                table, detail = written.insert
                details[table].append(detail)
            if written.ended is not None:
                ended.append(written.ended)
    latest = {append.run: append.at for append in appends}
    lines = [change.row(run, owner, latest[run]) for run, change in changes.items()]
    if connection.execute(UPDATE_RUN, lines).rowcount != len(lines):
        _check_held(connection, owner, changes)
    if not events:
        return [[] for _ in appends]

    texts.save(connection)
    connection.execute(_ADD, events)
    last = connection.scalar(_LAST[connection.dialect.name])
    ids = count(last - len(events) + 1)
    for table, rows in details.items():
        connection.execute(insert(table), rows)
    if ended:
        connection.execute(END_CALL, ended)
    return [[Recorded(next(ids), each.run, each.at, event) for event in each.events] for each in appends]


def _check_held(connection: Connection, owner: str, runs: Collection[str]) -> None:
    owners: dict[str, str | None] = dict(connection.execute(_OWNERS, {"runs": sorted(runs)}).all())
    for run in runs:
        if run not in owners:
            raise StoreError(f"run {run} does not exist: it was never created, or removed meanwhile")
        if owners[run] != owner:
            raise StoreError(f"run {run} is not held by this process: take it first with `refiner run resume {run}`")
