"""The process that does mathematics: it may hang, die or be killed, and the next comparison works."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from refiner.verify.worker import Worker

HANGS = "300000000!"


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker(seconds=2.0)
    yield worker
    worker.close()


def test_one_process_serves_every_comparison(worker: Worker) -> None:
    assert worker.pid is None
    assert worker.same("x+1", "1+x")
    first = worker.pid
    assert not worker.same("x+1", "x+2")
    assert first is not None
    assert worker.pid == first


def test_a_comparison_that_hangs_is_ended_and_the_next_one_works(worker: Worker) -> None:
    assert not worker.same(HANGS, "1")
    assert worker.pid is None
    assert worker.same("x+1", "1+x")


def test_a_process_that_was_killed_is_started_anew(worker: Worker) -> None:
    worker.same("x", "x")
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    os.waitid(os.P_PID, worker.pid, os.WEXITED | os.WNOWAIT)
    assert worker.same("x+1", "1+x")


def test_nothing_is_evaluated_as_python(worker: Worker, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    attack = f"__import__('pathlib').Path('{mark}').touch()"
    worker.same(attack, "1")
    worker.same(f"\\text{{{attack}}} + 1", "2")
    assert not mark.exists()


def test_a_module_in_the_users_folder_is_not_ours(
    worker: Worker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "math_verify.py").write_text("raise SystemExit")
    monkeypatch.chdir(tmp_path)
    assert worker.same("x+1", "1+x")


def test_closing_ends_the_process(worker: Worker) -> None:
    worker.same("x", "y")
    pid = worker.pid
    assert pid is not None
    worker.close()
    worker.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.anyio
async def test_threads_take_turns(worker: Worker) -> None:
    verdicts: dict[int, bool] = {}

    async def compare(number: int) -> None:
        verdicts[number] = await anyio.to_thread.run_sync(worker.same, f"x+{number}", f"{number % 3}+x")

    async with anyio.create_task_group() as tasks:
        for number in range(6):
            tasks.start_soon(compare, number)
    assert verdicts == {number: number < 3 for number in range(6)}
