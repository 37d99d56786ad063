"""Where a database lies."""

from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from refiner.domain.errors import UsageError


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
