"""Removing runs, and the texts that only they used."""

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, exists, select

from refiner.store import tables
from refiner.store.owners import Owners


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
    """The runs that nobody holds and when they last changed, the oldest first."""
    of = tables.runs.c
    rows = connection.execute(select(of.id, of.owner, of.updated_at).order_by(of.updated_at)).all()
    living = owners.living({row.owner for row in rows if row.owner}, connection)
    return ((row.id, row.updated_at) for row in rows if row.owner not in living)
