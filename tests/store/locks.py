"""Another program that has the database for itself."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg
from sqlalchemy import make_url

from refiner.store.address import address, shown
from refiner.store.engine import WRITE_LOCK


@contextmanager
def locked(url: str) -> Iterator[None]:
    """Hold the write lock from a connection that is not the store's."""
    where = address(url)
    if where.get_backend_name() == "sqlite":
        with closing(sqlite3.connect(shown(where), isolation_level=None)) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            yield
    else:
        with session(url) as server:
            server.execute("SELECT pg_advisory_lock(%s)", [WRITE_LOCK])
            yield


def session(url: str) -> psycopg.Connection:
    """A session of our own at a PostgreSQL database of the tests."""
    where = make_url(url)
    host = str(where.query["host"])
    return psycopg.connect(host=host, user=where.username, dbname=where.database, autocommit=True)
