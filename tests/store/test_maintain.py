"""`refiner db`: check, backup, prune."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, func, select, text, update

from refiner.domain.errors import StoreError, UsageError
from refiner.domain.events import Note
from refiner.store import maintain, tables
from refiner.store.removal import SOME, Keep, remove_some
from refiner.store.sql import SqlStore
from refiner.store.texts import digest_of
from tests.store.samples import DONE, STARTED, TRAJECTORY

pytestmark = pytest.mark.anyio


async def test_a_sound_database_has_nothing_wrong(store: SqlStore, url: str) -> None:
    await store.create("r-1")
    await store.append("r-1", [*TRAJECTORY, Note("\0\ud800" * 100)])
    assert maintain.check(url) == []


async def test_a_text_or_an_event_that_changed_is_found(store: SqlStore, url: str) -> None:
    await store.create("r-1")
    await store.append("r-1", [STARTED, Note("first " * 50)])
    digest = digest_of("first " * 50)
    with store._database.write.begin() as connection:
        forged = update(tables.texts).where(tables.texts.c.digest == digest)
        connection.execute(forged.values(encoding="plain", body=b"forged"))
        connection.execute(update(tables.events).where(tables.events.c.type == "run-started").values(payload="{}"))
    assert maintain.check(url) == [f"text {digest}: its bytes have changed", "run r-1, step run: no event"]


async def test_a_text_that_is_gone_makes_its_run_unreadable_and_no_other(store: SqlStore, url: str) -> None:
    for run in ("r-1", "r-2"):
        await store.create(run)
        await store.append(run, [Note(f"{run} " * 50)])
    with store._database.write.begin() as connection:
        lost = select(tables.uses.c.digest).where(tables.uses.c.run_id == "r-1")
        digests = connection.scalars(lost).all()
        connection.execute(delete(tables.uses).where(tables.uses.c.run_id == "r-1"))
        connection.execute(delete(tables.texts).where(tables.texts.c.digest.in_(digests)))
    (problem,) = maintain.check(url)
    assert problem.startswith("run r-1, step ")
    assert problem.endswith(": a text is missing")
    with pytest.raises(StoreError, match="run r-1 cannot be read"):
        await store.events("r-1")
    assert len(await store.events("r-2")) == 1


def parts(folder: Path) -> list[Path]:
    """Copies that were not finished."""
    return list(folder.glob("*.part"))


async def test_a_backup_is_taken_while_others_write(tmp_path: Path) -> None:
    url, copy = f"sqlite:///{tmp_path}/refiner.db", tmp_path / "copy.db"
    store = SqlStore.open(url, state=tmp_path)
    await store.create("r-1")
    recorded = await store.append("r-1", TRAJECTORY)
    maintain.backup(url, copy)
    await store.append("r-1", [Note("later")])
    await store.aclose()
    restored = SqlStore.open(f"sqlite:///{copy}", state=tmp_path)
    assert await restored.events("r-1") == recorded
    await restored.aclose()
    assert not parts(tmp_path)
    assert oct(copy.stat().st_mode)[-3:] == "600"


async def test_a_newer_database_can_be_backed_up(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/refiner.db"
    await SqlStore.open(url, state=tmp_path).aclose()
    with closing(sqlite3.connect(tmp_path / "refiner.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    maintain.backup(url, tmp_path / "copy.db")
    with closing(sqlite3.connect(tmp_path / "copy.db")) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == ("9999",)


async def test_a_backup_never_overwrites(tmp_path: Path) -> None:
    url, copy = f"sqlite:///{tmp_path}/refiner.db", tmp_path / "copy.db"
    with pytest.raises(UsageError, match="there is no database"):
        maintain.backup(url, copy)
    await SqlStore.open(url, state=tmp_path).aclose()
    copy.write_text("precious")
    with pytest.raises(UsageError, match="exists already"):
        maintain.backup(url, copy)
    assert copy.read_text() == "precious"
    with pytest.raises(UsageError, match="pg_dump"):
        maintain.backup("postgresql://me:s3cret@db/refiner", tmp_path / "dump")
    with pytest.raises(StoreError, match=r"nowhere/copy\.db\.part cannot be opened or written"):
        maintain.backup(url, tmp_path / "nowhere" / "copy.db")
    (tmp_path / "broken.db").write_text("no database " * 100)
    with pytest.raises(StoreError, match=r"broken\.db is damaged"):
        maintain.backup(f"sqlite:///{tmp_path}/broken.db", tmp_path / "other.db")
    assert not parts(tmp_path)


async def test_old_runs_are_pruned_unless_somebody_holds_them(store: SqlStore, url: str, tmp_path: Path) -> None:
    for run in ("r-old", "r-new", "r-held"):
        await store.create(run)
        await store.append(run, [STARTED, Note(f"{run} " * 50)])
    for run in ("r-old", "r-new"):
        await store.append(run, [DONE])
    with store._database.write.begin() as connection:
        long_ago = datetime.now(UTC) - timedelta(days=31)
        connection.execute(update(tables.runs).where(tables.runs.c.id != "r-new").values(updated_at=long_ago))
    assert maintain.prune(url, state=tmp_path / "state", keep_days=30).runs == 1
    assert {row.id for row in await store.runs()} == {"r-new", "r-held"}
    assert maintain.check(url) == []
    assert len(await store.events("r-new")) == 3
    with store._database.read.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(tables.texts)) == 3


async def test_the_oldest_runs_are_pruned_until_the_file_is_small(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/refiner.db"
    store = SqlStore.open(url, state=tmp_path)
    for number in range(20):
        await store.create(f"r-{number}")
        await store.append(f"r-{number}", [Note(f"{number}: {'é' * 9}" + str(range(number)) * 9)])
        noise = [Note("".join(chr(33 + (number * 7919 + place * place) % 9000) for place in range(9000)))]
        await store.append(f"r-{number}", [*noise, DONE])
    await store.aclose()
    before = (tmp_path / "refiner.db").stat().st_size
    pruned = maintain.prune(url, state=tmp_path, keep_bytes=before // 2)
    after = (tmp_path / "refiner.db").stat().st_size
    assert 0 < pruned.runs < 20
    assert pruned.freed == before - after
    assert after <= before // 2
    store = SqlStore.open(url, state=tmp_path)
    assert [row.id for row in await store.runs()] == [f"r-{number}" for number in range(19, pruned.runs - 1, -1)]
    await store.aclose()


async def test_nothing_is_pruned_that_was_not_asked_for(
    store: SqlStore, url: str, backend: str, tmp_path: Path
) -> None:
    await store.create("r-1")
    await store.append("r-1", [DONE])
    assert maintain.prune(url, state=tmp_path / "state").runs == 0
    if backend == "postgresql":
        with pytest.raises(UsageError, match="cannot be bounded"):
            maintain.prune(url, state=tmp_path / "state", keep_bytes=1)
    with store._database.read.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM events")) == 1


async def test_a_live_store_is_pruned_some_at_a_time(store: SqlStore) -> None:
    for run in (f"r-{number}" for number in range(2 * SOME + 1)):
        await store.create(run)
        await store.append(run, [STARTED, DONE])
    await store.submit("r-waits", [STARTED], "ada")
    with store._database.write.begin() as connection:
        assert remove_some(connection, store._owners, Keep(days=0)) == SOME
    await store.create("r-held")
    await store.prune(Keep(days=0))
    assert {row.id for row in await store.runs()} == {"r-waits", "r-held"}


async def test_the_log_is_emptied_unless_somebody_reads_it(tmp_path: Path) -> None:
    store = SqlStore.open(f"sqlite:///{tmp_path}/refiner.db", state=tmp_path)
    await store.create("r-1")
    log = tmp_path / "refiner.db-wal"
    with closing(sqlite3.connect(tmp_path / "refiner.db")) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM runs").fetchall()
        await store.append("r-1", TRAJECTORY)
        await store.checkpoint()
        assert log.stat().st_size > 0
    await store.checkpoint()
    assert log.stat().st_size == 0
    await store.append("r-1", [Note("later")])
    assert len(await store.events("r-1")) == len(TRAJECTORY) + 1
    await store.aclose()
