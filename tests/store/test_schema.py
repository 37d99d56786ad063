"""The versions of a database."""

import shutil
import sys
from pathlib import Path

import anyio
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from refiner.domain.errors import StoreError
from refiner.store import maintain, migrations, schema, tables
from refiner.store.address import address
from refiner.store.engine import Database, connect
from refiner.store.sql import SqlStore
from tests.store.samples import STARTED

pytestmark = pytest.mark.anyio

NEXT = """
import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    with op.batch_alter_table("runs") as table:
        table.add_column(sa.Column("mood", sa.String()))
"""


@pytest.fixture
def of_tomorrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program as it will be one revision later."""
    folder = tmp_path / "migrations"
    shutil.copytree(Path(str(migrations.__file__)).parent, folder)
    (folder / "versions" / "0005_mood.py").write_text(NEXT)
    monkeypatch.setattr(schema, "SCRIPTS", str(folder))
    monkeypatch.setattr(schema, "HEAD", "0005")


async def test_the_migrations_make_the_tables_that_the_code_knows(store: SqlStore) -> None:
    with store._database.write.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, tables.metadata) == []


def test_the_head_that_is_written_down_is_the_head() -> None:
    assert ScriptDirectory(str(Path(str(migrations.__file__)).parent)).get_current_head() == schema.HEAD


async def test_opening_an_up_to_date_database_needs_no_alembic(store: SqlStore, url: str, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from refiner.store.sql import SqlStore;"
        "SqlStore.open(sys.argv[1], state=Path(sys.argv[2])); print('alembic' in sys.modules)"
    )
    await store.create("r-1")
    ran = await anyio.run_process([sys.executable, "-c", code, url, str(tmp_path)])
    assert ran.stdout == b"False\n"


async def test_a_newer_database_is_refused_with_the_command_that_copies_it(
    store: SqlStore, url: str, tmp_path: Path
) -> None:
    with store._database.write.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match=r"newer refiner \(9999, .* `refiner db backup FILE`") as raised:
        SqlStore.open(url, state=tmp_path)
    assert maintain.path(url) in str(raised.value)
    assert raised.value.exit_code == 8


async def test_an_older_file_is_copied_and_upgraded(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    url = f"sqlite:///{tmp_path}/refiner.db"
    store = SqlStore.open(url, state=tmp_path)
    await store.create("r-1")
    recorded = await store.append("r-1", [STARTED])
    await store.aclose()
    request.getfixturevalue("of_tomorrow")
    store = SqlStore.open(url, state=tmp_path)
    assert _columns(store._database) >= {"mood", "title"}
    assert await store.events("r-1") == recorded
    await store.aclose()
    copy = connect(address(f"{url}.0004.bak"))
    assert "mood" not in _columns(copy)
    copy.close()


async def test_an_older_server_waits_for_the_command(
    url: str, backend: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    store = SqlStore.open(url, state=tmp_path)
    request.getfixturevalue("of_tomorrow")
    if backend == "postgresql":
        with pytest.raises(StoreError, match="`refiner db upgrade`"):
            SqlStore.open(url, state=tmp_path)
    assert maintain.upgrade(url) == "0005"
    assert "mood" in _columns(store._database)
    await store.aclose()


async def test_a_migration_that_fails_leaves_the_file_as_it_was(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    url = f"sqlite:///{tmp_path}/refiner.db"
    SqlStore.open(url, state=tmp_path)
    request.getfixturevalue("of_tomorrow")
    broken = tmp_path / "migrations" / "versions" / "0005_mood.py"
    broken.write_text(NEXT + '    op.execute("ALTER TABLE nowhere ADD COLUMN x")\n')
    with pytest.raises(StoreError, match="no such table: nowhere"):
        SqlStore.open(url, state=tmp_path)
    database = connect(address(url))
    assert "mood" not in _columns(database)
    database.close()


async def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    store = SqlStore.open(f"sqlite:///{tmp_path}/new/refiner.db", state=tmp_path / "state")
    await store.create("r-1")
    assert oct((tmp_path / "new").stat().st_mode)[-3:] == "700"
    assert {oct(file.stat().st_mode)[-3:] for file in (tmp_path / "new").iterdir()} == {"600"}
    await store.aclose()


async def test_sqlite_is_set_up_as_meant(tmp_path: Path) -> None:
    store = SqlStore.open(f"sqlite:///{tmp_path}/refiner.db", state=tmp_path, timeout=7)
    wanted = {"journal_mode": "wal", "synchronous": 1, "mmap_size": 0, "foreign_keys": 1, "busy_timeout": 7000}
    with store._database.write.connect() as connection:
        found = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in wanted}
    assert found == wanted
    with store._database.read.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA query_only").scalar() == 1
    await store.aclose()


def _columns(database: Database) -> set[str]:
    with database.read.connect() as connection:
        return {column["name"] for column in inspect(connection).get_columns("runs")}
