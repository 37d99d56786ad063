"""Who holds a run: each process has an id, and a lock that is let go of when it dies, however it dies.

SQLite: a locked file per process, freed by the kernel. PostgreSQL, which several hosts may share: an advisory lock
of the session that writes, freed by the server.
"""

import fcntl
import hashlib
import os
import time
from collections.abc import Collection
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, text

from refiner.store.engine import Database

_held: set[int] = set()


def _close_in_child() -> None:
    # A forked worker that outlives this process would hold its lock, and its runs would seem alive.
    while _held:
        os.close(_held.pop())


os.register_at_fork(after_in_child=_close_in_child)


class Owners(Protocol):
    """How a database tells which processes are alive."""

    def hold(self, owner: str, connection: Connection) -> None:
        """Be `owner` from now on; a second call does nothing."""
        ...

    def living(self, owners: Collection[str], connection: Connection) -> set[str]:
        """Those of the owners whose process is alive."""
        ...

    def let_go(self) -> None:
        """Be nobody again."""
        ...


class FileOwners:
    """A file per owner, locked for as long as its process lives."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: tuple[int, Path] | None = None

    def hold(self, owner: str, connection: Connection) -> None:
        if self._file is None:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = self._path(owner)
            file = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _held.add(file)
            self._file = file, path

    def living(self, owners: Collection[str], connection: Connection) -> set[str]:
        return {owner for owner in owners if self._lives(owner)}

    def let_go(self) -> None:
        if self._file is not None:
            file, path = self._file
            path.unlink(missing_ok=True)
            if file in _held:
                _held.remove(file)
                os.close(file)
            self._file = None

    def _lives(self, owner: str) -> bool:
        path = self._path(owner)
        try:
            file = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            # A shared lock, so that two who look at once do not take each other for the owner.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        else:
            path.unlink(missing_ok=True)
            return False
        finally:
            os.close(file)

    def _path(self, owner: str) -> Path:
        return self._folder / f"{owner}.lock"


AGAIN = 5.0
"""Seconds that owners have to come back after a session was lost: with it, others may have lost theirs."""


class SessionOwners:
    """An advisory lock per owner, held by the session of its writer."""

    def __init__(self) -> None:
        self._held = False

    def hold(self, owner: str, connection: Connection) -> None:
        # `info` lives as long as the session: one that had to be made anew takes its lock again.
        if "owner" not in connection.info:
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _key(owner)})
            connection.info["owner"] = owner
            connection.info["judges"] = time.monotonic() + AGAIN if self._held else 0.0
            self._held = True

    def living(self, owners: Collection[str], connection: Connection) -> set[str]:
        if not owners or connection.info.get("judges", 0.0) > time.monotonic():
            return set(owners)
        held = set(connection.scalars(_LOCKS))
        return {owner for owner in owners if _key(owner) in held}

    def let_go(self) -> None:
        """The lock goes with its session."""


_LOCKS = text(
    "SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1"
    " AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


def _key(owner: str) -> int:
    return int.from_bytes(hashlib.sha256(owner.encode()).digest()[:8], signed=True)


def owners_of(database: Database, state: Path) -> Owners:
    """How the database tells who is alive; `state` is the folder for lock files."""
    return FileOwners(state / "owners") if database.sqlite else SessionOwners()
