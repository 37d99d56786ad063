"""How each database is reached: its connections, their settings, and its one write lock."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event

from refiner.domain.errors import StoreError
from refiner.store.address import shown
from refiner.store.faults import explained

WRITE_LOCK = 0x7265_6669_6E65_72
"""The advisory lock that stands, in PostgreSQL, for SQLite's single writer: ids rise in the order of commits."""


_ALIVE = {"keepalives_idle": 4, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 10_000}
"""How both ends of a connection notice within ten seconds that the other host is gone, and with it what it locked."""


@dataclass(frozen=True, slots=True)
class Database:
    """Where it lies, and two ways in: `write` takes the write lock with each transaction, those of `read` see one
    moment each and change nothing. `watch` only asks SQLite whether anybody has committed."""

    url: URL
    read: Engine
    write: Engine
    watch: sqlite3.Connection | None = None

    @property
    def sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    def version(self) -> int | None:
        """A number that changes with every commit, in a few microseconds; None where there is none."""
        with suppress(sqlite3.Error):
            if self.watch:
                return int(self.watch.execute("PRAGMA data_version").fetchone()[0])
        return None

    def close(self) -> None:
        if self.watch:
            self.watch.close()
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
        write = _sqlite(url, [*settings, "journal_mode = WAL", "synchronous = NORMAL"], "BEGIN IMMEDIATE", 1)
        return Database(url, read, write, sqlite3.connect(shown(url), timeout=0, check_same_thread=False))
    try:
        read = _postgresql(url, timeout, readers, isolation_level="REPEATABLE READ")
        write = _postgresql(url, timeout, 1)
    except ModuleNotFoundError:
        raise StoreError("PostgreSQL needs its driver: pip install 'refiner[postgresql]'") from None
    lock = f"SELECT pg_advisory_xact_lock({WRITE_LOCK})"
    event.listen(write, "begin", lambda connection: connection.exec_driver_sql(lock))
    return Database(url, read, write)


def checkpoint(database: Database) -> None:
    """Write SQLite's log into its file and empty it, unless somebody reads it; only in the thread that writes."""
    with closing(database.write.raw_connection()) as connection:
        cursor = connection.cursor()
        (patience,) = cursor.execute("PRAGMA busy_timeout").fetchone()
        cursor.execute("PRAGMA busy_timeout = 0")  # who reads for long must not hold up who writes
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        cursor.execute(f"PRAGMA busy_timeout = {patience}")


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
        connect_args={"connect_timeout": 10, **_ALIVE},
        **options,
    )

    def settle(connection: Any, _: object) -> None:
        connection.execute(f"SET lock_timeout = {round(timeout * 1000)}")
        for setting, value in _ALIVE.items():
            connection.execute(f"SET {setting if setting.startswith('tcp') else f'tcp_{setting}'} = {value}")
        connection.commit()

    event.listen(engine, "connect", settle)
    return engine
