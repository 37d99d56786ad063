"""The store over SQL: SQLite in a file, or PostgreSQL, with the same code."""

import json
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

import anyio
from sqlalchemy import Connection, delete, func, insert, select, update
from ulid import ULID

from refiner.domain.errors import NotFoundError, NotLiveError, UsageError
from refiner.domain.events import Event, Recorded
from refiner.domain.run import Control, Limits, Rewrite, Word
from refiner.domain.service import Waiting
from refiner.domain.store import RunRow
from refiner.store import ids, journal, queue, tables
from refiner.store.address import address
from refiner.store.engine import Database, checkpoint, connect
from refiner.store.evals import EvalStore
from refiner.store.faults import explained
from refiner.store.owners import Owners, owners_of
from refiner.store.reading import (
    CallRow,
    Totals,
    find_run,
    read_calls,
    read_events,
    read_feed,
    read_runs,
    read_told,
    read_totals,
    read_words,
)
from refiner.store.removal import SOME, Keep, delete_run, remove_some
from refiner.store.schema import check, prepare
from refiner.store.writer import Writer

T = TypeVar("T")

_READERS = 4


class SqlStore:
    """Implements refiner.domain.store.Store. Writes go through one thread, reads through a few connections more.

    A run that has recorded RunFinished belongs to nobody: it has to be claimed before more is appended.
    """

    def __init__(self, database: Database, owners: Owners) -> None:
        self._database = database
        self._owners = owners
        self._me = str(ULID())
        self._writer = Writer(database, self._append)
        self._readers = anyio.CapacityLimiter(_READERS)
        self._given: set[str] = set()
        self._quiet: dict[str, tuple[int | None, object]] = {}
        self.evals = EvalStore(self._writer, self._read, owners, self._me)

    @classmethod
    def open(cls, url: str, *, state: Path, timeout: float = 10.0) -> "SqlStore":
        """Open the database at an SQLAlchemy URL, made or upgraded if need be.

        state: the folder for lock files. timeout: seconds to wait for another program's lock.
        Raises StoreError, and UsageError where the URL is none of SQLite or PostgreSQL.
        """
        return cls._opened(prepare, url, state, timeout)

    @classmethod
    def look(cls, url: str, *, state: Path, timeout: float = 10.0) -> "SqlStore":
        """Open a database that is there to read from it: nothing is made, and nothing upgraded.

        Only words for runs may be left in it. Raises StoreError, also where it is of another version.
        """
        return cls._opened(check, url, state, timeout)

    @classmethod
    def _opened(cls, ready: Callable[[Database], object], url: str, state: Path, timeout: float) -> "SqlStore":
        database = connect(address(url), timeout=timeout, readers=_READERS)
        try:
            with explained(database.url):
                ready(database)
        except BaseException:
            database.close()
            raise
        return cls(database, owners_of(database, state))

    async def new_id(self) -> str:
        """An id for a run that no run has: short, and longer where the short ones are taken."""
        for run in ids.drawn("r"):
            if run not in self._given:
                # Noted before the look into the database, which other tasks do not wait for.
                self._given.add(run)
                if not await self._read(partial(_exists, run)):
                    break
        return run

    async def create(self, run: str) -> None:
        """Make an empty run that this process holds. Raises StoreError where the id is taken."""

        def work(connection: Connection) -> None:
            now = queue.moment(connection)
            row = tables.Runs(id=run, owner=self._me, epoch=1, created_at=now, updated_at=now).model_dump()
            self._owners.hold(self._me, connection)
            connection.execute(insert(tables.runs), row)

        await self._writer.do(work)
        self._given.discard(run)

    async def submit(
        self, run: str, events: Sequence[Event], submitter: str, priority: int = 0, key: str | None = None
    ) -> str:
        """Put a new run into the queue of the service; its id, which is an older run's where the key is known."""

        def work(connection: Connection) -> str:
            return queue.submit(connection, run, events, submitter, priority, key)

        submitted = await self._writer.do(work)
        self._given.discard(run)
        return submitted

    async def requeue(self, run: str) -> None:
        """Put a run into the queue again. Raises UsageError where it is live, or there already."""

        def work(connection: Connection) -> None:
            if self._live(connection, run):
                raise UsageError(f"run {run} is being worked on")
            queue.requeue(connection, run)

        await self._writer.do(work)

    async def take(self, most: int, but: Collection[str] = ()) -> list[str]:
        """Up to so many queued runs, fairly chosen, which this process holds from now on; none of `but`."""

        def work(connection: Connection) -> list[str]:
            self._owners.hold(self._me, connection)
            return queue.take(connection, self._me, most, but)

        return await self._new("take", frozenset(but), lambda: self._writer.do(work))

    async def recover(self, most: int) -> list[queue.Orphan]:
        """The queue's runs whose service died, which are in the queue again, or held by this process where `most`
        services have died over one."""

        def work(connection: Connection) -> list[queue.Orphan]:
            self._owners.hold(self._me, connection)
            return queue.recover(connection, self._me, self._owners, most)

        return await self._writer.do(work)

    async def waiting(self) -> int:
        """How many runs are in the queue."""
        return await self._read(queue.waiting)

    async def due(self, run: str) -> bool:
        """Whether a living process holds the run, or it waits for a service."""
        return await self._read(lambda connection: self._live(connection, run) or queue.waits(connection, run))

    async def feed(self, after: int, limit: int = 500) -> list[Recorded]:
        """The events of all runs with an id above `after`, in order."""
        return await self._new("feed", after, lambda: self._read(partial(read_feed, after=after, limit=limit)))

    async def last(self) -> int:
        """The id of the latest event; 0 where there is none."""
        query = select(func.max(tables.events.c.id))
        return await self._read(lambda connection: connection.scalar(query) or 0)

    async def in_queue(self, most: int) -> tuple[Waiting, ...]:
        """The first of the runs that wait: the highest priority, then the oldest."""
        return await self._read(partial(queue.first, most=most))

    async def probe(self) -> None:
        """Take the lock for a write that changes nothing. Raises StoreError where the database takes none."""
        nothing = update(tables.runs).where(tables.runs.c.id == "").values(status="")
        await self._writer.do(lambda connection: connection.execute(nothing).rowcount)

    def timed(self, listener: Callable[[float], None]) -> None:
        """Have the listener told, in another thread, how many seconds each transaction took."""
        self._writer.timed = listener

    async def append(self, run: str, events: Sequence[Event]) -> list[Recorded]:
        """Commit events, all or none.

        Raises StoreError for a run that this process does not hold or an event whose place is taken. A cancelled
        append is not written unless its transaction has begun.
        """
        return await self._writer.append(journal.Append(run, datetime.now(UTC), tuple(events)))

    async def events(self, run: str, after: int = 0) -> list[Recorded]:
        """The run's events with an id above `after`, in order."""
        return await self._read(partial(read_events, run=run, after=after))

    async def run_calls(self, run: str) -> list[CallRow]:
        """Every attempt at a call of the run, with its messages and reply, in the order they left."""
        return await self._read(partial(read_calls, run=run))

    async def runs(self, limit: int = 100, offset: int = 0, since: datetime | None = None) -> list[RunRow]:
        """The latest runs, newest first; one whose process died is "interrupted", one of a service "queued".

        since: only those that changed then or later, or that a process holds.
        """
        query = partial(read_runs, living=self._owners.living, limit=limit, offset=offset, since=since)
        return await self._read(query)

    async def find(self, prefix: str) -> str:
        """The id that a prefix (or "@", the latest) stands for. Raises NotFoundError or AmbiguousError."""
        return await self._read(partial(find_run, prefix=prefix))

    async def claim(self, run: str) -> None:
        """Take a run that no living process holds, and its next epoch. Raises UsageError where one does."""

        def work(connection: Connection) -> None:
            if self._live(connection, run):
                raise UsageError(f"run {run} is being worked on: wait for it, or end it with `refiner run stop {run}`")
            self._owners.hold(self._me, connection)
            taken = {"owner": self._me, "epoch": tables.runs.c.epoch + 1}
            connection.execute(update(tables.runs).where(tables.runs.c.id == run).values(taken))
            # What the last holder did not hear was not meant for this one.
            connection.execute(delete(tables.words).where(tables.words.c.run_id == run))

        await self._writer.do(work)

    async def live(self, run: str) -> bool:
        """Whether a living process holds the run."""
        return await self._read(lambda connection: self._live(connection, run))

    async def ask(self, run: str, control: Control, who: str, told: Limits | Rewrite | None = None) -> None:
        """Leave a word for the process that holds a live run, or will take one that waits, which stop and cancel end
        at once; told: what Word says of it. Raises NotLiveError for any other run."""
        row = {"run_id": run, "control": control, "who": who, "at": datetime.now(UTC)}
        row["limits"] = json.dumps(asdict(told)) if told else None

        def work(connection: Connection) -> None:
            live = self._live(connection, run)
            if not live and not queue.waits(connection, run):
                raise NotLiveError(f"run {run} is not being worked on, nor does it wait: there is nothing to {control}")
            number = connection.scalar(insert(tables.words).values(row).returning(tables.words.c.id))
            if not live and control in ("stop", "cancel"):
                queue.end(connection, run, Word(number, control, who))

        await self._writer.do(work)

    async def asked(self, run: str, after: int) -> list[Word]:
        """The words with a number above `after` that were left for a run, in order."""
        return await self._read(partial(read_words, run=run, after=after))

    async def told(self, after: int) -> list[tuple[int, str]]:
        """The numbers above `after` of the words that were left, in order, and for which runs."""
        return await self._new("told", after, lambda: self._read(partial(read_told, after=after)))

    async def prune(self, keep: Keep) -> None:
        """Remove old runs as `refiner db prune` does, while others write; the file stays as large as it was."""
        while await self._writer.do(partial(remove_some, owners=self._owners, keep=keep)) == SOME:
            pass

    async def totals(self) -> list[Totals]:
        """What all runs come to, by their status."""
        return await self._read(read_totals)

    async def checkpoint(self) -> None:
        """Write SQLite's log into the database file and empty it; nothing where somebody still reads it."""
        if self._database.sqlite:
            await self._writer.aside(partial(checkpoint, self._database))

    async def remove(self, run: str) -> None:
        """Delete a run that is not live, and the texts that only it used. Raises UsageError where it is live."""

        def work(connection: Connection) -> None:
            if self._live(connection, run):
                raise UsageError(f"run {run} is being worked on: end it first with `refiner run cancel {run}`")
            delete_run(connection, run)

        await self._writer.do(work)

    async def aclose(self) -> None:
        """Commit what is waiting and let go of the runs that are held."""
        await self._writer.aclose()
        self._database.close()
        self._owners.let_go()

    def _append(self, connection: Connection, appends: Sequence[journal.Append]) -> list[list[Recorded]]:
        self._owners.hold(self._me, connection)
        return journal.write(connection, self._me, appends)

    def _live(self, connection: Connection, run: str) -> bool:
        row = connection.execute(select(tables.runs.c.owner).where(tables.runs.c.id == run)).one_or_none()
        if row is None:
            raise NotFoundError(f"no run is called {run}: `refiner run list` shows those there are")
        return row.owner is not None and row.owner in self._owners.living({row.owner}, connection)

    async def _new(self, what: str, asked: object, look: Callable[[], Awaitable[list[T]]]) -> list[T]:
        """What a look finds; nothing, without one, where the last found nothing and nobody has committed since."""
        now = self._database.version(), asked
        if now[0] is not None and self._quiet.get(what) == now:
            return []
        if not (found := await look()):
            self._quiet[what] = now
        return found

    async def _read(self, query: Callable[[Connection], T]) -> T:
        def work() -> T:
            with explained(self._database.url), self._database.read.connect() as connection:
                return query(connection)

        return await anyio.to_thread.run_sync(work, limiter=self._readers)


def _exists(run: str, connection: Connection) -> bool:
    return connection.scalar(select(tables.runs.c.id).where(tables.runs.c.id == run)) is not None
