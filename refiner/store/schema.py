"""The version of a database: made when it is new, brought up to date when it is old, refused when it is newer."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import URL, Connection, inspect, text

from refiner.domain.errors import StoreError
from refiner.store.address import shown
from refiner.store.engine import Database

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0004"
"""The newest revision in migrations/: written down here because importing alembic takes a second."""

SCRIPTS = "refiner.store:migrations"


def prepare(database: Database, *, renew: bool = False) -> None:
    """Leave the database at HEAD. Raises StoreError where it is newer, foreign, or an old one of PostgreSQL.

    An old SQLite file is copied to FILE.REVISION.bak before it is upgraded; PostgreSQL is upgraded only to `renew`.
    """
    with database.read.connect() as connection:
        if revision(connection, database.url) == HEAD:
            return
    with database.write.begin() as connection:
        found = revision(connection, database.url)
        if found == HEAD:
            return
        if found is not None:
            _check_known(found, database.url)
            if not database.sqlite and not renew:
                raise StoreError(
                    f"database {shown(database.url)} is of an older refiner: `refiner db upgrade` renews it"
                )
            if database.sqlite:
                copy(Path(shown(database.url)), Path(f"{shown(database.url)}.{found}.bak"))
        upgrade(connection)


def check(database: Database) -> None:
    """Raises StoreError unless the database is at HEAD."""
    with database.read.connect() as connection:
        found = revision(connection, database.url)
    if found != HEAD:
        raise StoreError(
            f"database {shown(database.url)} is of another version of refiner ({found}, this one reads {HEAD}):"
            " `refiner db upgrade` renews an old one"
        )


def revision(connection: Connection, url: URL) -> str | None:
    """The database's revision, None for an empty one. Raises StoreError where it is not one of ours."""
    found = set(inspect(connection).get_table_names())
    if "alembic_version" in found and "runs" in found:
        version: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
        return version
    if found:
        raise StoreError(f"database {shown(url)} belongs to another program: set REFINER_DB to one of your own")
    return None


def upgrade(connection: Connection) -> None:
    """Run the missing migrations within the connection's transaction."""
    from alembic import command

    command.upgrade(_config(connection), "head")


def copy(source: Path, target: Path) -> None:
    """Copy an SQLite database, whatever its version, while others use it."""
    part = target.with_name(target.name + ".part")
    try:
        part.touch(mode=0o600)
        with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(part)) as new:
            old.backup(new)
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _check_known(found: str, url: URL) -> None:
    from alembic.script import ScriptDirectory

    if found not in {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}:
        raise StoreError(
            f"database {shown(url)} was written by a newer refiner ({found}, this one knows {HEAD}): install that one,"
            " or keep a copy with `refiner db backup FILE` and move the database away"
        )


def _config(connection: Connection | None = None) -> "Config":
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", SCRIPTS)
    config.set_main_option("path_separator", "os")
    return config
