"""A home that cannot be written, a disk that is full, a database that cannot be used: exit 8 and one line."""

import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event

import pytest

from tests.end_to_end.model import DRAFT, MENDED, QUESTION, mending
from tests.end_to_end.program import Done, Program
from tests.scripted import Asked, Outcome, Scripted


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    """A small disk of its own in memory; a test that needs one is left out where nothing may be mounted."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount a disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def refused(done: Done, message: str) -> bool:
    assert message in done.error
    return (done.code, done.out) == (8, "")


def test_a_home_below_a_file(refiner: Program, tmp_path: Path, scripted: Scripted) -> None:
    (tmp_path / "file").touch()
    done = refiner.under(REFINER_HOME=str(tmp_path / "file" / "home"))("solve", "Why?")
    assert refused(done, "set REFINER_HOME to a folder that can be written")
    assert scripted.asked == []


def test_a_home_that_is_read_only(refiner: Program, tmp_path: Path, scripted: Scripted) -> None:
    with mounted(tmp_path / "disk", "size=1m,ro") as disk:
        done = refiner.under(REFINER_HOME=str(disk))("solve", "Why?")
        assert refused(done, "set REFINER_HOME to a folder that can be written")
    assert scripted.asked == []


@pytest.mark.parametrize("size", ["16k", "96k"])
def test_a_disk_that_is_full_from_the_start(size: str, refiner: Program, tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", f"size={size}") as disk:
        assert refused(refiner.under(REFINER_HOME=str(disk))("solve", "Why?"), "disk")


def test_a_disk_that_fills_up_in_a_run(refiner: Program, tmp_path: Path, scripted: Scripted) -> None:
    """What was committed stands: with room again, the run goes on and buys nothing twice."""
    scripted.script = mending
    with mounted(tmp_path / "disk", "size=8m") as disk:
        refiner = refiner.under(REFINER_HOME=str(disk))
        assert refiner("solve", "Why?").code == 0
        filler = disk / "filler"

        def script(_: object) -> str:
            fill(filler)
            return DRAFT

        scripted.reset(script)
        done = refiner("solve", QUESTION, "-q")
        assert refused(done, "disk: free some space; then `refiner run resume r-")
        assert len(scripted.asked) == 1
        filler.unlink()
        scripted.script = mending
        resumed = refiner("run", "resume", "@")
        assert (resumed.code, resumed.out) == (0, MENDED + "\n")


def fill(file: Path) -> None:
    with file.open("wb", buffering=0) as out:
        try:
            while True:
                out.write(bytes(4096))
        except OSError:
            pass


def corrupt(database: Path) -> None:
    database.write_bytes(b"not a database" * 1000)


def torn(database: Path) -> None:
    content = bytearray(database.read_bytes())
    content[100:] = b"\xff" * (len(content) - 100)
    database.write_bytes(content)


def newer(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")


def foreign(database: Path) -> None:
    database.unlink()
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE TABLE photographs (id INTEGER)")


@pytest.mark.parametrize("words", [("solve", "Why?"), ("run", "list")])
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (corrupt, "is damaged or no database"),
        (torn, "is damaged or no database"),
        (newer, "`refiner db backup"),
        (foreign, "belongs to another program"),
    ],
)
def test_a_database_that_cannot_be_used(
    damage: Callable[[Path], None], message: str, words: tuple[str, ...], refiner: Program, scripted: Scripted
) -> None:
    assert refiner("run", "list").code == 0
    damage(refiner.database)
    before = refiner.database.read_bytes()
    done = refiner(*words)
    assert refused(done, message)
    assert (scripted.asked, refiner.database.read_bytes()) == ([], before)
    told = refiner(*words, "--json").json["error"]
    assert told == {"kind": "store", "message": done.error, "run": None}


def test_a_database_that_is_locked(refiner: Program, scripted: Scripted) -> None:
    """Before the first call, and in the middle of a run: side by side, for each waits its ten seconds."""
    assert refiner("run", "list").code == 0
    lock = sqlite3.connect(refiner.database, isolation_level=None, check_same_thread=False)
    locked = Event()

    def script(asked: Asked) -> Outcome:
        lock.execute("BEGIN IMMEDIATE")
        locked.set()
        return mending(asked)

    with closing(lock):
        scripted.script = script
        running = refiner.start("solve", QUESTION, "-q")
        assert locked.wait(60)
        waiting = refiner.start("solve", "Why?")
        assert all(refused(process.wait(), "is locked by another program") for process in (waiting, running))
    scripted.script = mending
    resumed = refiner("run", "resume", "@", "--json")
    assert (resumed.code, resumed.json["answer"], resumed.json["usage"]["calls"]) == (0, MENDED, 5)
