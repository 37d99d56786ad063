"""Several processes at one database, and what is left when one is killed."""

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest

from refiner.domain.errors import UsageError
from refiner.domain.events import Note
from refiner.store.address import address
from refiner.store.engine import connect
from refiner.store.owners import FileOwners
from refiner.store.sql import SqlStore
from tests.store.locks import session
from tests.store.postgresql import Cluster

pytestmark = pytest.mark.anyio


@contextmanager
def writing(url: str, state: Path, run: str, count: int, *fork: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.store.process", url, str(state), run, str(count), *fork]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    text = process.stdout.readline().strip()
    assert text, "the process died"
    return text


async def test_processes_write_at_the_same_time_from_the_first_moment(url: str, tmp_path: Path) -> None:
    state = tmp_path / "state"
    with writing(url, state, "r-a", 60) as a, writing(url, state, "r-b", 60) as b, writing(url, state, "r-c", 60) as c:
        assert [process.communicate()[0].count("\n") for process in (a, b, c)] == [61, 61, 61]
        assert [process.returncode for process in (a, b, c)] == [0, 0, 0]
    store = SqlStore.open(url, state=state)
    events = [event for run in ("r-a", "r-b", "r-c") for event in await store.events(run)]
    assert len({event.id for event in events}) == 180
    assert {row.status for row in await store.runs()} == {"interrupted"}
    await store.aclose()


async def test_what_a_killed_process_committed_is_there(url: str, tmp_path: Path) -> None:
    state = tmp_path / "state"
    with writing(url, state, "r-a", 0) as process:
        assert line(process) == "ready 0"
        seen = [line(process) for _ in range(20)]
        store = SqlStore.open(url, state=state)
        (row,) = await store.runs()
        assert row.live
        with pytest.raises(UsageError, match="being worked on"):
            await store.claim("r-a")
        process.kill()
        assert process.stdout is not None
        # A last line may be cut where the kill fell.
        seen += [each.strip() for each in process.stdout if each.endswith("\n")]
    await _until_dead(store)
    kept = [each.event.text for each in await store.events("r-a") if isinstance(each.event, Note)]
    assert kept[: len(seen)] == seen
    assert len(kept) <= len(seen) + 1
    await store.claim("r-a")
    await store.append("r-a", [Note("goes on")])
    assert len(await store.events("r-a")) == len(kept) + 1
    await store.aclose()


async def test_one_of_many_takes_an_orphan(url: str, tmp_path: Path) -> None:
    state = tmp_path / "state"
    with writing(url, state, "r-a", 0) as process:
        line(process)
    stores = [SqlStore.open(url, state=state) for _ in range(4)]
    await _until_dead(stores[0])
    taken: list[SqlStore] = []

    async def take(store: SqlStore) -> None:
        try:
            await store.claim("r-a")
        except UsageError:
            return
        taken.append(store)

    async with anyio.create_task_group() as group:
        for store in stores:
            group.start_soon(take, store)
    assert len(taken) == 1
    for store in stores:
        await store.aclose()


def holds_a_lock(pid: int) -> bool:
    try:
        return any("owners" in str(file.readlink()) for file in Path(f"/proc/{pid}/fd").iterdir())
    except FileNotFoundError:
        return True  # it is just closing some


async def test_a_forked_worker_does_not_keep_a_dead_run_alive(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/refiner.db"
    with writing(url, tmp_path, "r-a", 0, "fork") as process:
        child = int(line(process).split()[1])
        process.kill()
        process.wait()
        while holds_a_lock(child):
            pass  # it has not come to its first step yet
        try:
            store = SqlStore.open(url, state=tmp_path)
            await store.claim("r-a")
            await store.aclose()
        finally:
            os.kill(child, signal.SIGKILL)


async def test_locks_of_the_dead_are_cleared_away_and_ours_goes_with_us(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/refiner.db"
    with writing(url, tmp_path, "r-a", 0) as process:
        line(process)
    store = SqlStore.open(url, state=tmp_path)
    assert not (await store.runs())[0].live
    assert list((tmp_path / "owners").iterdir()) == []
    await store.create("r-b")
    assert len(list((tmp_path / "owners").iterdir())) == 1
    await store.aclose()
    assert list((tmp_path / "owners").iterdir()) == []


def test_two_who_look_at_once_do_not_take_each_other_for_the_owner(tmp_path: Path) -> None:
    database = connect(address(f"sqlite:///{tmp_path}/refiner.db"))
    (tmp_path / "dead.lock").touch()
    with database.read.connect() as connection, (tmp_path / "dead.lock").open() as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        assert FileOwners(tmp_path).living({"dead"}, connection) == set()
    database.close()


async def test_a_session_that_is_lost_is_made_anew_and_holds_its_runs(server: Cluster, tmp_path: Path) -> None:
    url = server.new_database()
    store = SqlStore.open(url, state=tmp_path)
    await store.create("r-a")
    with session(url) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )
    await store.append("r-a", [Note("again")])
    other = SqlStore.open(url, state=tmp_path / "elsewhere")
    assert (await other.runs())[0].live
    await other.aclose()
    await store.aclose()


async def _until_dead(store: SqlStore) -> None:
    # PostgreSQL takes a moment to notice that a client is gone.
    with anyio.fail_after(30):
        while any(row.live for row in await store.runs()):
            await anyio.lowlevel.checkpoint()
