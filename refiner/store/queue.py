"""The queue of the services, which is the table of runs: handing in, taking, getting back what a dead one left."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, desc, func, insert, select, update

from refiner.domain.events import Event, RunFinished, RunResumed, Steered
from refiner.domain.run import Stop, StopReason, Word
from refiner.domain.service import Waiting
from refiner.domain.state import fold
from refiner.store import journal, tables
from refiner.store.owners import Owners
from refiner.store.reading import read_events


@dataclass(frozen=True, slots=True)
class Orphan:
    """A run whose service died, and which is in the queue again; crashes: how many have died over it by now."""

    run: str
    crashes: int


_LIVE = ("running", "paused")


def moment(connection: Connection) -> datetime:
    """Now; just behind the newest run where the clock was put back, for runs keep the order in which they came."""
    newest, now = connection.scalar(select(func.max(tables.runs.c.created_at))), datetime.now(UTC)
    return max(now, newest + timedelta(microseconds=1)) if newest else now


def submit(
    connection: Connection, run: str, events: Sequence[Event], submitter: str, priority: int, key: str | None
) -> str:
    """Put a run into the queue, and give its id: the older one where the same key was used before."""
    of = tables.runs.c
    if key is not None and (known := connection.scalar(select(of.id).where(of.key == key))) is not None:
        return str(known)
    now = moment(connection)
    row = tables.Runs(id=run, owner=run, epoch=1, created_at=now, updated_at=now).model_dump()
    queued = {"queued_at": now, "submitter": submitter, "priority": priority, "key": key}
    connection.execute(insert(tables.runs), row | queued)
    journal.write(connection, run, [journal.Append(run, now, events)])
    connection.execute(update(tables.runs).where(of.id == run).values(owner=None, status="queued"))
    return run


def take(connection: Connection, owner: str, most: int, but: Collection[str] = ()) -> list[str]:
    """Up to so many queued runs, except some, held by `owner` from now on: the highest priority first, then whoever has
    the fewest at work, then the oldest."""
    of = tables.runs.c
    place = func.row_number().over(partition_by=of.submitter, order_by=(desc(of.priority), of.queued_at, of.id))
    ranked = select(of.id, of.submitter, of.priority, of.queued_at, place.label("place"))
    first = ranked.where(of.status == "queued", of.id.not_in(but)).subquery()
    rows = connection.execute(select(first).where(first.c.place <= most)).all()
    if not rows:
        return []
    count = (
        select(of.submitter, func.count()).where(of.queued_at.is_not(None), of.status.in_(_LIVE)).group_by(of.submitter)
    )
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


def recover(connection: Connection, owner: str, owners: Owners, most: int) -> list[Orphan]:
    """Put the runs whose service died into the queue again, where they were; a paused one pauses when it is taken.

    Those over which `most` services have died are held by `owner` instead.
    """
    of = tables.runs.c
    query = select(of.id, of.owner, of.status, of.crashes).where(of.status.in_(_LIVE), of.queued_at.is_not(None))
    rows = connection.execute(query.order_by(of.queued_at)).all()
    living = owners.living({row.owner for row in rows if row.owner}, connection)
    dead = [row for row in rows if row.owner not in living]
    if not dead:
        return []
    again = {"owner": None, "epoch": of.epoch + 1, "status": "queued", "crashes": of.crashes + 1}
    connection.execute(update(tables.runs).where(of.id.in_([row.id for row in dead])).values(again))
    _hold(connection, owner, [row.id for row in dead if row.crashes + 1 >= most])
    who, at = "the service, which found it paused", datetime.now(UTC)
    words = [{"run_id": row.id, "control": "pause", "who": who, "at": at} for row in dead if row.status == "paused"]
    if words:
        connection.execute(insert(tables.words), words)
    return [Orphan(row.id, row.crashes + 1) for row in dead]


def waiting(connection: Connection) -> int:
    """How many runs are in the queue."""
    return connection.scalar(select(func.count()).where(tables.runs.c.status == "queued")) or 0


def waits(connection: Connection, run: str) -> bool:
    """Whether a run is in the queue, or in the hands of a service, which may have died over it."""
    of = tables.runs.c
    query = select(of.id).where(of.id == run, of.status.in_(("queued", *_LIVE)), of.queued_at.is_not(None))
    return connection.scalar(query) is not None


def end(connection: Connection, run: str, word: Word) -> None:
    """End a run that waits, so that nobody takes it; it can be resumed."""
    state = fold(read_events(connection, run, 0))
    number = state.resumptions + (state.finished is not None)
    stop = Stop(StopReason.SIGNAL, f"{word.control}: asked for by {word.who} while it waited")
    ended = (Steered(word), RunFinished("interrupted", 130, stop, number))
    held = {"owner": run, "epoch": tables.runs.c.epoch + 1}
    connection.execute(update(tables.runs).where(tables.runs.c.id == run).values(held))
    events = ended if state.finished is None else (RunResumed(number), *ended)
    journal.write(connection, run, [journal.Append(run, datetime.now(UTC), events)])


def first(connection: Connection, most: int) -> tuple[Waiting, ...]:
    """The runs in the queue: the highest priority first, then the oldest."""
    of = tables.runs.c
    query = select(of.id, of.title, of.submitter, of.priority, of.queued_at).where(of.status == "queued")
    rows = connection.execute(query.order_by(desc(of.priority), of.queued_at, of.id).limit(most))
    return tuple(Waiting(row.id, row.title, row.submitter or "", row.priority, row.queued_at) for row in rows)


def requeue(connection: Connection, run: str) -> None:
    """Put a run that nobody holds into the queue again."""
    again = {"owner": None, "status": "queued", "queued_at": moment(connection), "crashes": 0}
    connection.execute(update(tables.runs).where(tables.runs.c.id == run).values(again))


def _hold(connection: Connection, owner: str, runs: Sequence[str]) -> None:
    of = tables.runs.c
    held = {"owner": owner, "epoch": of.epoch + 1, "status": "running"}
    connection.execute(update(tables.runs).where(of.id.in_(runs)).values(held))
