"""The queue of the service, which is the table of runs: handing in, taking, adopting what a dead service left."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, desc, func, insert, select, update

from refiner.domain.events import Event
from refiner.store import journal, tables
from refiner.store.owners import Owners


@dataclass(frozen=True, slots=True)
class Orphan:
    """A run whose service died: whether it was paused then, and how many services have died over it by now."""

    run: str
    paused: bool
    crashes: int


_LIVE = ("running", "paused")


def submit(
    connection: Connection, run: str, events: Sequence[Event], submitter: str, priority: int, key: str | None
) -> str:
    """Put a run into the queue, and give its id: the older one where the same key was used before."""
    of = tables.runs.c
    if key is not None and (known := connection.scalar(select(of.id).where(of.key == key))) is not None:
        return str(known)
    now = datetime.now(UTC)
    row = tables.Runs(id=run, owner=run, epoch=1, created_at=now, updated_at=now).model_dump()
    queued = {"queued_at": now, "submitter": submitter, "priority": priority, "key": key}
    connection.execute(insert(tables.runs), row | queued)
    journal.write(connection, run, [journal.Append(run, now, events)])
    connection.execute(update(tables.runs).where(of.id == run).values(owner=None, status="queued"))
    return run


def take(connection: Connection, owner: str, most: int) -> list[str]:
    """Up to so many queued runs, held by `owner` from now on: the highest priority first, then whoever has the fewest
    at work, then the oldest."""
    of = tables.runs.c
    place = func.row_number().over(partition_by=of.submitter, order_by=(desc(of.priority), of.queued_at, of.id))
    ranked = select(of.id, of.submitter, of.priority, of.queued_at, place.label("place")).where(of.status == "queued")
    first = ranked.subquery()
    rows = connection.execute(select(first).where(first.c.place <= most)).all()
    if not rows:
        return []
    count = select(of.submitter, func.count()).where(of.owner == owner, of.status.in_(_LIVE)).group_by(of.submitter)
    working: dict[str, int] = dict(connection.execute(count).all())
    taken: list[str] = []
    left = {row.id: row for row in rows}
    while left and len(taken) < most:
        best = min(left.values(), key=lambda row: (-row.priority, working.get(row.submitter, 0), row.queued_at, row.id))
        working[best.submitter] = working.get(best.submitter, 0) + 1
        taken.append(best.id)
        del left[best.id]
    _hold(connection, owner, taken)
    return taken


def adopt(connection: Connection, owner: str, owners: Owners) -> list[Orphan]:
    """The runs of the queue whose service died, the oldest first; `owner` holds them from now on."""
    of = tables.runs.c
    query = select(of.id, of.owner, of.status, of.crashes).where(of.status.in_(_LIVE), of.queued_at.is_not(None))
    rows = connection.execute(query.order_by(of.queued_at)).all()
    living = owners.living({row.owner for row in rows if row.owner}, connection)
    orphans = [Orphan(row.id, row.status == "paused", row.crashes + 1) for row in rows if row.owner not in living]
    for orphan in orphans:
        connection.execute(update(tables.runs).where(of.id == orphan.run).values(crashes=orphan.crashes))
    _hold(connection, owner, [orphan.run for orphan in orphans])
    return orphans


def requeue(connection: Connection, run: str) -> None:
    """Put a run that nobody holds into the queue again."""
    again = {"owner": None, "status": "queued", "queued_at": datetime.now(UTC), "crashes": 0}
    connection.execute(update(tables.runs).where(tables.runs.c.id == run).values(again))


def _hold(connection: Connection, owner: str, runs: Sequence[str]) -> None:
    of = tables.runs.c
    for run in runs:
        held = {"owner": owner, "epoch": of.epoch + 1, "status": "running"}
        connection.execute(update(tables.runs).where(of.id == run).values(held))
