"""Warm workers: nothing passes from one cell to the next, nothing grows, and several run at once."""

# ruff: noqa: ASYNC240, PTH208

import gc
import os
import threading
from collections import Counter
from itertools import groupby
from pathlib import Path

import anyio
import pytest

from refiner.domain.code import Outcome
from refiner.domain.errors import SandboxError
from refiner.sandbox import bubblewrap, interpreter, off
from refiner.sandbox.choose import Layer, sandbox_of
from refiner.sandbox.limits import Limits
from refiner.sandbox.pool import WorkerPool
from refiner.sandbox.usage import below
from tests.sandbox.trial import LAYERS, command, ran, sandboxed, scratch_left

pytestmark = pytest.mark.anyio

LEAVE = """
import os, pathlib
pathlib.Path("left").write_text("left")
for folder in ("/tmp", "/var/tmp", "/dev/shm", os.environ["HOME"]):
    try:
        pathlib.Path(folder, "left").write_text("left")
    except OSError:
        pass
"""
LOOK = """
import os
found = [f for f in (".", "/tmp", "/var/tmp", "/dev/shm", os.environ["HOME"]) if os.path.exists(f + "/left")]
print(found, sorted(os.listdir(".")))
"""


@pytest.mark.parametrize("layer", LAYERS)
async def test_nothing_is_left_for_the_next(layer: Layer) -> None:
    async with sandboxed(layer, most=1) as sandbox:
        await ran(sandbox, LEAVE)
        ending = await ran(sandbox, LOOK)
        assert len(below(os.getpid(), 0).pids) >= 1

    assert ending.output == b"[] ['program.py']\n"


@pytest.mark.parametrize("layer", LAYERS)
async def test_a_worker_outlives_a_user_that_is_cancelled(layer: Layer) -> None:
    async with sandboxed(layer, most=1) as sandbox:
        with anyio.CancelScope() as scope:
            async with sandbox.open("command") as cell:
                used = cell.worker.pid
                await cell.send(b'{"argv": ["sleep", "60"]}')
                scope.cancel()
                await cell.receive()
        async with sandbox.open("command") as cell:
            assert (await command(cell, "true"), cell.worker.pid) == (0, used)


@pytest.mark.parametrize("layer", LAYERS)
async def test_the_same_worker_serves_until_it_is_replaced(layer: Layer) -> None:
    async with sandboxed(layer, most=1) as sandbox:
        sandbox.recycled = 4
        seen = []
        for _ in range(6):
            async with sandbox.open("command") as cell:
                assert await command(cell, "true") == 0
                seen.append(cell.worker.pid)

    assert max(Counter(seen).values()) == 4
    assert [worker for worker, _ in groupby(seen)] == list(dict.fromkeys(seen))


async def test_programs_and_tests_never_share_a_worker() -> None:
    async with sandboxed("bubblewrap") as sandbox:
        async with sandbox.open("candidate") as candidate, sandbox.open("tester") as tester:
            assert candidate.worker.pid != tester.worker.pid
        async with sandbox.open("tester") as again, sandbox.open("candidate") as other:
            assert (again.worker.pid, other.worker.pid) == (tester.worker.pid, candidate.worker.pid)


@pytest.mark.parametrize("layer", LAYERS)
async def test_several_at_once_and_no_more_than_that(layer: Layer) -> None:
    async with sandboxed(layer, most=2) as sandbox:
        running, most, codes, both = 0, 0, [], anyio.Event()

        async def one(number: int) -> None:
            nonlocal running, most
            async with sandbox.open("command") as cell:
                running += 1
                most = max(most, running)
                if running == 2:
                    both.set()
                with anyio.fail_after(20):
                    await both.wait()
                codes.append(await command(cell, "sh", "-c", f"exit {number}"))
                running -= 1

        async with anyio.create_task_group() as tasks:
            for number in range(8):
                tasks.start_soon(one, number)

    assert set(codes) == set(range(8))
    assert most == 2


@pytest.mark.parametrize("layer", LAYERS)
async def test_nothing_grows(layer: Layer) -> None:
    async with sandboxed(layer, most=1) as sandbox:

        async def some(times: int) -> None:
            for _ in range(times):
                async with sandbox.open("command") as cell:
                    assert await command(cell, "/bin/true") == 0

        await some(20)
        before = held(sandbox)
        await some(200)
        after = held(sandbox)

    assert after == before


def held(sandbox: WorkerPool) -> dict[str, object]:
    gc.collect()
    workers = [worker for idle in sandbox.idle.values() for worker in idle]
    trees = [below(worker.pid, 0).pids for worker in workers]
    return {
        "descriptors": len(os.listdir("/proc/self/fd")),
        "threads": threading.active_count(),
        "workers": [worker.pid for worker in workers],
        "processes": trees,
        "theirs": [len(os.listdir(f"/proc/{pid}/fd")) for tree in trees for pid in tree],
        "memory": [resident(pid) // (4 << 20) for tree in trees for pid in tree],
        "scratch": scratch_left(sandbox),
    }


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("layer", LAYERS)
async def test_a_project_is_mounted_read_only(layer: Layer, tmp_path: Path) -> None:
    (tmp_path / "data.txt").write_text("data")
    source = f"""
import os
for folder in ("/project", {str(tmp_path)!r}):
    try:
        print(open(folder + "/data.txt").read())
    except OSError:
        continue
    try:
        open(folder + "/new", "w")
    except OSError:
        print("read-only")
"""
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents[:2]:
        parent.chmod(parent.stat().st_mode | 0o011)
    async with sandboxed(layer) as sandbox:
        async with sandbox.open("command", folder=str(tmp_path)) as cell:
            assert await command(cell, "python3", "{}", files={"p.py": source}, program="p.py") == 0
            ending = await cell.close()
        without = await ran(sandbox, source)

    assert ending.output.split() == [b"data", b"read-only"]
    assert without.output == b""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.txt"]


@pytest.mark.parametrize("layer", LAYERS)
async def test_the_environment_is_built_from_nothing(layer: Layer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "canary")
    async with sandboxed(layer) as sandbox:
        source = "import os, time; print(hash('x'), sorted(os.environ), time.tzname[0], os.getcwd())"
        first, second = await ran(sandbox, source), await ran(sandbox, source)

    assert first.output == second.output
    assert b"KEY" not in first.output
    assert b"UTC" in first.output
    if layer == "bubblewrap":
        assert first.output.endswith(b"/tmp\n")


async def test_packages_are_importable_where_their_environment_is_under_tmp(tmp_path: Path) -> None:
    """The sandbox has a /tmp of its own; the packages are mounted elsewhere."""
    package = tmp_path / "site-packages"
    package.mkdir()
    (package / "own_package.py").write_text("value = 42\n")
    found = interpreter.find()
    found = interpreter.Interpreter(found.prefix, found.program, (str(package),))
    sandbox = bubblewrap.sandbox(bubblewrap.binaries()[0], found, Limits())
    try:
        ending = await ran(sandbox, "import own_package; print(own_package.value, own_package.__file__)")
    finally:
        await sandbox.aclose()

    assert ending.output == b"42 /packages/0/own_package.py\n"


async def test_a_failing_bubblewrap_is_told_with_what_it_said(tmp_path: Path) -> None:
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n")
    broken.chmod(0o755)
    sandbox = bubblewrap.sandbox(str(broken), interpreter.find(), Limits())
    with pytest.raises(SandboxError, match="Permission denied"):
        async with sandbox.open("command"):
            pass
    await sandbox.aclose()


async def test_auto_falls_back_to_landlock_and_never_to_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho refused >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(bubblewrap, "binaries", lambda: [str(broken)])
    sandbox = await sandbox_of("auto")
    assert sandbox.layer == "landlock"
    await sandbox.aclose()

    monkeypatch.setattr("refiner.sandbox.landlock.version", lambda: 0)
    with pytest.raises(SandboxError, match=r"no sandbox works here.*bubblewrap.*landlock") as raised:
        await sandbox_of("auto")
    assert "\n" not in str(raised.value)

    monkeypatch.setattr(bubblewrap, "binaries", list)
    with pytest.raises(SandboxError, match="bubblewrap: pip install"):
        await sandbox_of("auto")


async def test_a_sandbox_that_does_not_hold_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof is a real violation: no isolation that calls itself Landlock passes it."""
    monkeypatch.setattr("refiner.sandbox.landlock.sandbox", lambda found, limits, **_: off.sandbox(found, limits))
    with pytest.raises(SandboxError, match="does not hold"):
        await sandbox_of("landlock")


async def test_a_folder_that_is_not_there() -> None:
    async with sandboxed("bubblewrap") as sandbox:
        with pytest.raises(SandboxError):
            async with sandbox.open("command", folder="/nonexistent/project"):
                pass


async def test_closing_twice_and_sending_to_what_has_ended() -> None:
    async with sandboxed("bubblewrap") as sandbox, sandbox.open("command") as cell:
        assert await command(cell, "true") == 0
        first = await cell.close()
        await cell.send(b"more")
        assert await cell.receive() is None
        assert await cell.close() is first
        assert first.outcome is None or first.outcome is Outcome.KILLED
