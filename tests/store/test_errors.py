"""Every way a database can refuse, and the one line that the user reads."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import anyio
import pytest

from refiner.domain.errors import StoreError, UsageError
from refiner.domain.events import Note, Recorded
from refiner.store import maintain
from refiner.store.sql import SqlStore
from tests.store.locks import locked
from tests.store.postgresql import Cluster
from tests.store.samples import STARTED

pytestmark = pytest.mark.anyio

mounts = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("mount"), reason="only root mounts a tiny disk")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "refiner.db"


def refusal(file: Path | str, state: Path) -> str:
    """The line that opening the database ends in."""
    with pytest.raises(StoreError) as raised:
        SqlStore.open(f"sqlite:///{file}" if isinstance(file, Path) else file, state=state, timeout=0.05)
    line = str(raised.value)
    assert "\n" not in line
    assert raised.value.exit_code == 8
    return line


async def test_a_locked_database_says_so_and_works_again_afterwards(url: str, tmp_path: Path) -> None:
    store = SqlStore.open(url, state=tmp_path / "state", timeout=0.05)
    await store.create("r-1")
    with locked(url):
        with pytest.raises(StoreError, match="is locked by another program: wait for it"):
            await store.append("r-1", [STARTED])
        assert await store.events("r-1") == []
    await store.append("r-1", [STARTED])
    await store.aclose()


async def test_a_full_database_keeps_what_it_has_and_goes_on_when_there_is_room(file: Path, tmp_path: Path) -> None:
    store = SqlStore.open(f"sqlite:///{file}", state=tmp_path)
    await store.create("r-1")
    kept = await store.append("r-1", [STARTED])
    await _limit_pages(store, 40)
    more, line = await _fill(store)
    kept += more
    assert "no room left on its disk: free some space" in line
    assert await store.events("r-1") == kept
    await _limit_pages(store, 10_000)
    kept += await store.append("r-1", [Note("there is room again")])
    assert await store.events("r-1") == kept
    await store.aclose()


async def _fill(store: SqlStore) -> tuple[list[Recorded], str]:
    """Append until it is refused: what was committed until then, and the refusal."""
    kept: list[Recorded] = []
    try:
        for number in range(1000):
            kept += await store.append("r-1", [Note(os.urandom(4000).hex() + str(number))])
    except StoreError as error:
        return kept, str(error)
    pytest.fail("the disk never filled")


async def _limit_pages(store: SqlStore, pages: int) -> None:
    await store._writer.do(lambda connection: connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}").all())


@mounts
async def test_a_full_disk_loses_nothing_that_was_committed(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    with mounted(disk, size="1m"):
        store = SqlStore.open(f"sqlite:///{disk}/refiner.db", state=tmp_path)
        await store.create("r-1")
        kept = await store.append("r-1", [STARTED])
        more, line = await _fill(store)
        kept += more
        assert "free some space" in line
        assert await store.events("r-1") == kept
        await anyio.run_process(["mount", "-o", "remount,size=64m", str(disk)])
        kept += await store.append("r-1", [Note("there is room again")])
        assert await store.events("r-1") == kept
        await store.aclose()


@mounts
def test_a_disk_that_is_full_from_the_start(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    with mounted(disk, size="32k"):
        assert "free some space" in refusal(disk / "refiner.db", tmp_path)


@contextmanager
def mounted(folder: Path, size: str) -> Iterator[None]:
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode:
        pytest.skip("this root may not mount")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_file_that_is_no_database(file: Path, tmp_path: Path) -> None:
    file.write_text("Dear diary, " * 1000)
    assert refusal(file, tmp_path) == (
        f"database {file} is damaged or no database: look with `refiner db check`, restore a backup, or move the file"
        " away"
    )
    assert file.read_text().startswith("Dear diary")


async def test_a_database_whose_pages_were_overwritten(file: Path, tmp_path: Path) -> None:
    store = SqlStore.open(f"sqlite:///{file}", state=tmp_path)
    await store.create("r-1")
    await store.append("r-1", [STARTED, *(Note(f"{number} " * 200) for number in range(200))])
    await store.aclose()
    _overwrite_the_second_half(file)
    store = SqlStore.open(f"sqlite:///{file}", state=tmp_path)
    with pytest.raises(StoreError, match="is damaged or no database"):
        await store.events("r-1")
    await store.aclose()


def _overwrite_the_second_half(file: Path) -> None:
    size = file.stat().st_size
    with file.open("r+b") as bytes_:
        bytes_.seek(size // 2)
        bytes_.write(b"\xff" * (size // 2))


def test_a_database_of_another_program(file: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
    assert "belongs to another program: set REFINER_DB" in refusal(file, tmp_path)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "check the rights of the file and its folder" in refusal(tmp_path / "file" / "refiner.db", tmp_path)


async def test_a_folder_for_locks_that_cannot_be_made(file: Path, tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    store = SqlStore.open(f"sqlite:///{file}", state=tmp_path / "state")
    with pytest.raises(StoreError, match="state/owners cannot be opened or written"):
        await store.create("r-1")
    await store.aclose()


def test_a_folder_and_a_file_that_may_not_be_written(tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    SqlStore.open(f"sqlite:///{folder}/old.db", state=tmp_path)
    with unprivileged(folder):
        assert "check the rights" in refusal(folder / "new.db", tmp_path)
        assert "check the rights" in refusal(folder / "old.db", tmp_path)


@contextmanager
def unprivileged(folder: Path) -> Iterator[None]:
    """Be somebody whom file rights bind: root gives up its own for the while."""
    user = os.geteuid()
    folder.chmod(0o500)
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)
        folder.chmod(0o700)


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("not a url", "is not a URL"),
        ("mysql://localhost/x", "databases of mysql are not supported"),
        ("sqlite://", "has to be a file"),
        ("sqlite:///:memory:", "has to be a file"),
    ],
)
def test_an_address_that_cannot_be_used(url: str, advice: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=advice):
        SqlStore.open(url, state=tmp_path)


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    line = refusal("postgresql://me:s3cret@localhost:1/refiner", tmp_path)
    assert line == (
        "database postgresql+psycopg://me:***@localhost:1/refiner cannot be reached (Connection refused): put that"
        " right, or set REFINER_DB"
    )


def test_a_database_or_user_that_the_server_does_not_know(server: Cluster, tmp_path: Path) -> None:
    url = server.new_database()
    name = url.partition("@/")[2].partition("?")[0]
    assert 'database "nowhere" does not exist' in refusal(url.replace(name, "nowhere"), tmp_path)
    assert 'role "nobody" does not exist' in refusal(url.replace("//refiner@", "//nobody@"), tmp_path)


def test_a_password_is_never_shown(tmp_path: Path) -> None:
    assert maintain.path("postgresql://me:s3cret@db/refiner") == "postgresql+psycopg://me:***@db/refiner"
    assert maintain.path(f"sqlite:///{tmp_path}/a b.db") == f"{tmp_path}/a b.db"


async def test_what_a_model_wrote_is_not_in_an_error(store: SqlStore) -> None:
    await store.create("r-1")
    await store.append("r-1", [STARTED])
    with pytest.raises(StoreError) as raised:
        await store.append("r-1", [Note("a secret of the user"), STARTED])
    assert raised.value.__cause__ is not None
    assert "a secret of the user" not in str(raised.value) + str(raised.value.__cause__)
