"""What the errors of a database mean, in one line that says what to do."""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError

from refiner.domain.errors import StoreError
from refiner.store.address import shown


def explain(error: BaseException, url: URL) -> BaseException:
    """The StoreError that a database's or the system's error comes to; any other error as it is."""
    if isinstance(error, OSError):
        place = error.filename or f"database {shown(url)}"
        full = error.errno == errno.ENOSPC
        return StoreError(f"{place} {_FULL if full else _CLOSED}", passing=full)
    if not isinstance(error, DBAPIError | sqlite3.Error):
        return error
    cause = error.orig if isinstance(error, DBAPIError) else error
    name = getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None) or ""
    # A session that the server ended has a code, but what matters is that it is gone.
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    said = next(iter(str(cause).splitlines()), "").rpartition("failed: ")[-1].strip()
    advice = next((advice for prefix, advice in _ADVICE.items() if name.startswith(prefix)), None)
    away = advice is None and url.get_backend_name() == "postgresql" and (not name or lost)
    if away:
        advice = f"cannot be reached ({said}): put that right, or set REFINER_DB"
    advice = advice or f"answered {name}: {said} (see `refiner db check`)"
    return StoreError(f"database {shown(url)} {advice}", passing=away or advice in (_LOCKED, _FULL, _FAILS))


@contextmanager
def explained(url: URL) -> Iterator[None]:
    """Turn what a database raises into StoreError."""
    try:
        yield
    except (DBAPIError, sqlite3.Error, OSError) as error:
        raise explain(error, url) from error


_LOCKED = "is locked by another program: wait for it or end it, then try again"
_FAILS = "cannot be read or written (the disk fails or is full): free some space or check the disk"
_FULL = "has no room left on its disk: free some space"
_CORRUPT = "is damaged or no database: look with `refiner db check`, restore a backup, or move the file away"
_CLOSED = "cannot be opened or written: check the rights of the file and its folder, or set REFINER_DB"
_TWICE = "has this step already: nothing was written (two programs at one run, or a bug: please report it)"

_ADVICE = {
    "SQLITE_CONSTRAINT": _TWICE,
    "23": _TWICE,
    "SQLITE_BUSY": _LOCKED,
    "SQLITE_LOCKED": _LOCKED,
    "SQLITE_FULL": _FULL,
    "SQLITE_IOERR": _FAILS,
    "SQLITE_CORRUPT": _CORRUPT,
    "SQLITE_NOTADB": _CORRUPT,
    "SQLITE_CANTOPEN": _CLOSED,
    "SQLITE_READONLY": _CLOSED,
    "SQLITE_PERM": _CLOSED,
    "55P03": _LOCKED,
    "40": _LOCKED,
    "53100": _FULL,
    "42501": "does not let this user write: grant the rights, or set REFINER_DB",
    "25006": "is read only: set REFINER_DB to a server that takes writes",
}
