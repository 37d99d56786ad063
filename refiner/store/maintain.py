"""What `refiner db` does: path, upgrade, check, backup, prune. All of it is synchronous, and raises StoreError."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, Connection, select

from refiner.domain.errors import UsageError
from refiner.store import schema, tables
from refiner.store.address import address, shown
from refiner.store.codec import decode
from refiner.store.engine import Database, connect
from refiner.store.faults import explain, explained
from refiner.store.owners import owners_of
from refiner.store.reading import DAMAGED
from refiner.store.removal import SOME, Keep, remove_some
from refiner.store.texts import digest_of, unpack


@dataclass(frozen=True, slots=True)
class Pruned:
    """runs: how many were removed. freed: bytes that the file shrank by, 0 for PostgreSQL, which keeps them."""

    runs: int
    freed: int


def path(url: str) -> str:
    """Where the database lies: a file's path, or a server's URL without its password."""
    return shown(address(url))


def upgrade(url: str) -> str:
    """Bring the database up to date and give its revision; an SQLite file is copied to FILE.REVISION.bak first."""
    with _opened(url, renew=True):
        return schema.HEAD


def check(url: str) -> list[str]:
    """What is wrong with the database, a line each; none when it is sound. Every event and text is read."""
    with _opened(url) as database, database.read.connect() as connection:
        pages = _broken_pages(connection) if database.sqlite else ()
        return [*pages, *_broken_texts(connection), *_broken_events(connection)]


def backup(url: str, target: Path) -> None:
    """Copy an SQLite database of whatever version, even while others write to it.

    Raises UsageError where the target exists, and for PostgreSQL.
    """
    where = address(url)
    source = Path(shown(where))
    if where.get_backend_name() != "sqlite":
        raise UsageError(f"PostgreSQL is copied by its own tool: pg_dump --format=custom --file={target}")
    if not source.exists():
        raise UsageError(f"there is no database at {source} yet")
    if target.exists():
        raise UsageError(f"{target} exists already: name a file that does not")
    try:
        schema.copy(source, target)
    except (sqlite3.Error, OSError) as error:
        # SQLite calls everything but damage an operational error; reading takes no room and no rights.
        damaged = isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError)
        raise explain(error, where if damaged else URL.create("sqlite", database=str(target))) from error


def prune(url: str, *, state: Path, keep_days: float | None = None, keep_bytes: int | None = None) -> Pruned:
    """Remove runs that nobody holds: those unchanged for `keep_days`, and the oldest until `keep_bytes` suffice.

    Their texts go unless another run uses them. Raises UsageError for `keep_bytes` with PostgreSQL.
    """
    removed, some = 0, SOME
    with _opened(url) as database:
        owners = owners_of(database, state)
        while some == SOME:
            with database.write.begin() as connection:
                some = remove_some(connection, owners, Keep(keep_days, keep_bytes))
            removed += some
        return Pruned(removed, _shrink(Path(shown(database.url))) if database.sqlite else 0)


@contextmanager
def _opened(url: str, *, renew: bool = False) -> Iterator[Database]:
    database = connect(address(url))
    try:
        with explained(database.url):
            schema.prepare(database, renew=renew)
            yield database
    finally:
        database.close()


def _broken_pages(connection: Connection) -> Iterator[str]:
    for line in connection.exec_driver_sql("PRAGMA integrity_check").scalars():
        if line != "ok":
            yield f"file: {line}"
    for table, *_ in connection.exec_driver_sql("PRAGMA foreign_key_check"):
        yield f"table {table}: a row belongs to nothing"


def _broken_texts(connection: Connection) -> Iterator[str]:
    for digest, encoding, body in connection.execute(select(tables.texts), execution_options={"yield_per": 500}):
        try:
            sound = digest_of(unpack(encoding, body)) == digest
        except DAMAGED:
            sound = False
        if not sound:
            yield f"text {digest}: its bytes have changed"


def _broken_events(connection: Connection) -> Iterator[str]:
    of, uses = tables.events.c, tables.uses.c
    for run in connection.scalars(select(tables.runs.c.id)).all():
        texts = dict.fromkeys(connection.scalars(select(uses.digest).where(uses.run_id == run)), "")
        for place, payload in connection.execute(select(of.place, of.payload).where(of.run_id == run)):
            try:
                decode(payload, texts)
            except DAMAGED as error:
                yield f"run {run}, step {place}: " + (
                    "a text is missing" if isinstance(error, KeyError) else "no event"
                )


def _shrink(file: Path) -> int:
    before = file.stat().st_size
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return max(0, before - file.stat().st_size)
