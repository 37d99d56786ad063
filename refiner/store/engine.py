"""How each database is reached: its address, its connections, its one write lock, and what its errors mean."""

import errno
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from refiner.domain.errors import StoreError, UsageError

WRITE_LOCK = 0x7265_6669_6E65_72
"""The advisory lock that stands, in PostgreSQL, for SQLite's single writer: ids rise in the order of commits."""


def address(url: str) -> URL:
    """The URL with its driver named and, for SQLite, its path made absolute. Raises UsageError."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise UsageError(
            "the database's address is not a URL: write sqlite:////path/to/file.db or postgresql://host/name"
        ) from None
    backend = parsed.get_backend_name()
    if backend == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise UsageError(f"databases of {backend} are not supported: use sqlite:////path/to/file.db or postgresql://…")
    if parsed.database in (None, "", ":memory:"):
        raise UsageError("the database has to be a file: write sqlite:////path/to/file.db")
    return URL.create("sqlite", database=str(Path(parsed.database or "").expanduser().absolute()))


def shown(url: URL) -> str:
    """A file's path, or a server's URL without its password."""
    return url.database or "" if url.get_backend_name() == "sqlite" else url.render_as_string(hide_password=True)


@dataclass(frozen=True, slots=True)
class Database:
    """Where it lies, and two ways in: `write` takes the write lock with each transaction, those of `read` see one
    moment each and change nothing."""

    url: URL
    read: Engine
    write: Engine

    @property
    def sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    def close(self) -> None:
        self.read.dispose()
        self.write.dispose()


def connect(url: URL, *, timeout: float = 10.0, readers: int = 4) -> Database:
    """The database there; nothing is opened yet, but an SQLite file that is missing is made.

    timeout: seconds to wait for a lock. readers: the most that read at once. Raises StoreError.
    """
    if url.get_backend_name() == "sqlite":
        with explained(url):
            _make_file(Path(shown(url)))
        settings = [f"busy_timeout = {round(timeout * 1000)}", "mmap_size = 0", "foreign_keys = ON"]
        # WAL with NORMAL loses nothing when a process is killed, and is sixty times as fast as FULL.
        # One writer and no mmap step around the WAL-reset bug of SQLite before 3.51.3.
        read = _sqlite(url, [*settings, "query_only = ON"], "BEGIN", readers)
        return Database(
            url, read, _sqlite(url, [*settings, "journal_mode = WAL", "synchronous = NORMAL"], "BEGIN IMMEDIATE", 1)
        )
    try:
        read = _postgresql(url, timeout, readers, isolation_level="REPEATABLE READ")
        write = _postgresql(url, timeout, 1)
    except ModuleNotFoundError:
        raise StoreError("PostgreSQL needs its driver: pip install 'refiner[postgresql]'") from None
    lock = f"SELECT pg_advisory_xact_lock({WRITE_LOCK})"
    event.listen(write, "begin", lambda connection: connection.exec_driver_sql(lock))
    return Database(url, read, write)


def explain(error: BaseException, url: URL) -> BaseException:
    """The StoreError that a database's or the system's error comes to; any other error as it is."""
    if isinstance(error, OSError):
        return StoreError(f"database {shown(url)} {_FULL if error.errno == errno.ENOSPC else _CLOSED}")
    if not isinstance(error, DBAPIError | sqlite3.Error):
        return error
    cause = error.orig if isinstance(error, DBAPIError) else error
    name = getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None) or ""
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    advice = next((advice for prefix, advice in _ADVICE.items() if name.startswith(prefix)), None)
    if advice is None and url.get_backend_name() == "postgresql" and (not name or lost):
        advice = "cannot be reached: start PostgreSQL there, or set REFINER_DB"
    if advice is None:
        line = str(cause).strip().splitlines()[:1]
        advice = f"answered {name or type(cause).__name__}: {line[0] if line else ''} (see `refiner db check`)"
    return StoreError(f"database {shown(url)} {advice}")


@contextmanager
def explained(url: URL) -> Iterator[None]:
    """Turn what a database raises into StoreError."""
    try:
        yield
    except (DBAPIError, sqlite3.Error, OSError) as error:
        raise explain(error, url) from error


_LOCKED = "is locked by another program: wait for it or end it, then try again"
_FULL = "has no room left on its disk: free some space, then `refiner run resume` goes on"
_CORRUPT = "is damaged or no database: look with `refiner db check`, restore a backup, or move the file away"
_CLOSED = "cannot be opened or written: check the rights of the file and its folder, or set REFINER_DB"
_TWICE = "has this step already: nothing was written (two programs at one run, or a bug: please report it)"

_ADVICE = {
    "SQLITE_CONSTRAINT": _TWICE,
    "23": _TWICE,
    "SQLITE_BUSY": _LOCKED,
    "SQLITE_LOCKED": _LOCKED,
    "SQLITE_FULL": _FULL,
    "SQLITE_IOERR": "cannot be read or written (the disk fails or is full): free some space or check the disk",
    "SQLITE_CORRUPT": _CORRUPT,
    "SQLITE_NOTADB": _CORRUPT,
    "SQLITE_CANTOPEN": _CLOSED,
    "SQLITE_READONLY": _CLOSED,
    "SQLITE_PERM": _CLOSED,
    "55P03": _LOCKED,
    "40": _LOCKED,
    "53": _FULL,
    "28": "refuses this user or password: check REFINER_DB",
    "3D000": "does not exist on the server: make it with createdb, or set REFINER_DB",
    "42501": "does not let this user write: grant the rights, or set REFINER_DB",
    "25006": "is read only: set REFINER_DB to a server that takes writes",
    "08": "cannot be reached: start PostgreSQL there, or set REFINER_DB",
    "57P": "cannot be reached: start PostgreSQL there, or set REFINER_DB",
}


def _make_file(path: Path) -> None:
    # What people ask is for their eyes alone, wherever the file lies.
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)


def _sqlite(url: URL, settings: Sequence[str], begin: str, pool: int) -> Engine:
    engine = create_engine(url, pool_size=pool, max_overflow=0, hide_parameters=True)

    def settle(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None
        for setting in settings:
            connection.execute(f"PRAGMA {setting}")

    event.listen(engine, "connect", settle)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine


def _postgresql(url: URL, timeout: float, pool: int, **options: Any) -> Engine:
    engine = create_engine(
        url,
        pool_size=pool,
        max_overflow=0,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={"connect_timeout": 10},
        **options,
    )

    def settle(connection: Any, _: object) -> None:
        connection.execute(f"SET lock_timeout = {round(timeout * 1000)}")
        connection.commit()

    event.listen(engine, "connect", settle)
    return engine
