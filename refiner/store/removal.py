"""Removing runs, and the texts that only they used."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, exists, or_, select

from refiner.domain.errors import UsageError
from refiner.store import tables
from refiner.store.owners import Owners

SOME = 50
"""Runs that one transaction removes: whoever waits for the write lock gets it in between."""


@dataclass(frozen=True, slots=True)
class Keep:
    """What is kept: runs changed within so many days, and the newest that so many bytes suffice for."""

    days: float | None = None
    size: int | None = None


def remove_some(connection: Connection, owners: Owners, keep: Keep) -> int:
    """Remove up to SOME runs that are not kept, and their texts unless another run uses them; how many it were.

    Raises UsageError for a size with PostgreSQL.
    """
    if keep.size is not None and connection.dialect.name != "sqlite":
        raise UsageError("the size of a PostgreSQL database cannot be bounded here: bound the age of its runs")
    before = datetime.now(UTC) - timedelta(days=keep.days) if keep.days is not None else None
    removed = 0
    for run, changed_at in idle_runs(connection, owners):
        old = before is not None and changed_at < before
        if removed == SOME or not (old or (keep.size is not None and _used_bytes(connection) > keep.size)):
            break
        delete_run(connection, run)
        removed += 1
    return removed


def delete_run(connection: Connection, run: str) -> None:
    """Delete a run with all its rows, and each text that no other run uses."""
    uses, other = tables.uses, tables.uses.alias("other")
    shared = exists().where(other.c.digest == uses.c.digest, other.c.run_id != run)
    own = connection.scalars(select(uses.c.digest).where(uses.c.run_id == run, ~shared)).all()
    connection.execute(delete(tables.runs).where(tables.runs.c.id == run))
    if own:
        query = delete(tables.texts).where(tables.texts.c.digest == bindparam("own"))
        connection.execute(query, [{"own": digest} for digest in own])


def idle_runs(connection: Connection, owners: Owners) -> Iterator[tuple[str, datetime]]:
    """The runs that nobody holds or waits for and when they last changed, the oldest first."""
    of = tables.runs.c
    over = or_(of.queued_at.is_(None), of.status.not_in(("queued", "running", "paused")))
    rows = connection.execute(select(of.id, of.owner, of.updated_at).where(over).order_by(of.updated_at)).all()
    living = owners.living({row.owner for row in rows if row.owner}, connection)
    return ((row.id, row.updated_at) for row in rows if row.owner not in living)


def _used_bytes(connection: Connection) -> int:
    pages, free, size = (
        connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)
