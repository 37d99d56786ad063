"""What a cell started is dead, and its scratch gone: at its end, and when refiner or its worker is killed."""

# ruff: noqa: ASYNC110, ASYNC240, PT012, PTH102

import fcntl
import json
import os
import secrets
import select
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from refiner.domain.code import Outcome
from refiner.sandbox.choose import Layer
from refiner.sandbox.inside import confine, scratch
from refiner.sandbox.stale import sweep
from refiner.sandbox.usage import below
from tests.sandbox.trial import HOSTILE, LAYERS, LIMITS, command, named, sandboxed, scratch_left

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parents[2]

DOOMED = """
import sys, anyio, json, os
from functools import partial
from tests.sandbox.trial import *

async def main():
    layer, program, name = sys.argv[1:]
    async with sandboxed(layer) as sandbox:
        limits = Limits(wall=600, cpu=600)
        async with sandbox.open("command", limits=limits) as cell, anyio.create_task_group() as tasks:
            source = (HOSTILE / f"{program}.py").read_text() + "\\nimport time\\ntime.sleep(600)"
            files = {"p.py": source}
            tasks.start_soon(partial(command, cell, "python3", "p.py", json.dumps({"name": name}), files=files))
            while len(named(name)) < 4:
                await anyio.sleep(0.01)
            print(cell.worker.folder or "", flush=True)
            await anyio.sleep(600)

anyio.run(main)
"""


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("program", ["fork_bomb", "daemons"])
def test_nothing_survives_kill_9_of_refiner(layer: Layer, program: str) -> None:
    name = f"out-{secrets.token_hex(4)}"
    host = subprocess.Popen(
        [sys.executable, "-c", DOOMED, layer, program, name], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert host.stdout is not None
    with host:
        folder = host.stdout.readline().strip()
        pids = below(host.pid, 0).pids
        assert named(name)
        held = [os.pidfd_open(pid) for pid in pids if Path(f"/proc/{pid}").exists()]
        host.kill()
    for descriptor in held:
        assert select.select([descriptor], [], [], 20)[0], "a process outlived refiner"
        os.close(descriptor)

    assert named(name) == []
    assert not folder or not Path(folder).exists()


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_worker_that_is_killed_or_stopped(layer: Layer, number: signal.Signals) -> None:
    """It is the sandbox's failure, never the program's; the next cell works."""
    name = f"out-{secrets.token_hex(4)}"
    source = (HOSTILE / "daemons.py").read_text() + "\nprint('ready', flush=True)\ntime.sleep(600)"
    async with sandboxed(layer) as sandbox:
        async with sandbox.open("command", limits=replace(LIMITS, wall=1)) as cell:
            files = {"p.py": source}
            argv = ["python3", "p.py", json.dumps({"name": name})]
            await cell.send(json.dumps({"argv": argv, "files": files}).encode())
            with anyio.fail_after(20):
                while len(named(name)) < 4:
                    await anyio.sleep(0.01)
            zygote = cell.worker.pid if layer == "landlock" else below(cell.worker.pid, 0).pids[0]
            os.kill(zygote, number)
            ending = await cell.close()
            assert ending.outcome is Outcome.SANDBOX
            assert named(name) == []
            assert cell.worker.folder is None or not Path(cell.worker.folder).exists()

        async with sandbox.open("command") as cell:
            assert await command(cell, "true") == 0


@pytest.mark.parametrize("layer", LAYERS)
async def test_a_cell_that_its_user_leaves_is_over(layer: Layer) -> None:
    name = f"out-{secrets.token_hex(4)}"
    async with sandboxed(layer) as sandbox:
        with pytest.raises(RuntimeError, match="the user's own"):
            async with sandbox.open("command") as cell:
                source = (HOSTILE / "daemons.py").read_text()
                await command(cell, "python3", "p.py", json.dumps({"name": name}), files={"p.py": source})
                raise RuntimeError("the user's own")
        assert named(name) == []

        with anyio.move_on_after(0.3):
            async with sandbox.open("command") as cell:
                await command(cell, "python3", "p.py", json.dumps({"name": name}), files={"p.py": source + SLEEP})
        assert named(name) == []
        assert scratch_left(sandbox) == []


SLEEP = "\ntime.sleep(60)"


def test_scratch_of_dead_workers_is_swept(tmp_path: Path) -> None:
    stale, used, other = (tmp_path / name for name in (f"{confine.PREFIX}a", f"{confine.PREFIX}b", "other"))
    for folder in (stale, used, other):
        (folder / "cell" / "closed").mkdir(parents=True)
        (folder / "cell" / "closed").chmod(0)
    holder = os.open(used, os.O_RDONLY)
    fcntl.flock(holder, fcntl.LOCK_EX)
    try:
        sweep(str(tmp_path))
    finally:
        os.close(holder)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", used.name]


def test_any_tree_can_be_removed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    folder = tmp_path / "scratch"
    folder.mkdir()
    (folder / ".1").mkdir()
    (folder / "link").symlink_to(outside)
    (folder / "file\udcff\n").write_text("x")
    (folder / "-rf").mkdir()
    closed = folder / "closed"
    (closed / "inner").mkdir(parents=True)
    (closed / "inner" / "link").symlink_to(outside / "kept")
    here = os.open(".", os.O_RDONLY)
    try:
        os.chdir(folder)
        for _ in range(300):
            os.mkdir("d" * 200)
            os.chdir("d" * 200)
    finally:
        os.fchdir(here)
        os.close(here)
    (closed / "inner").chmod(0)
    closed.chmod(0)
    (folder / "sealed").mkdir(mode=0)

    scratch.remove(str(folder))

    assert not folder.exists()
    assert (outside / "kept").read_text() == "kept"
    scratch.remove(str(folder))


# Deep, but no deeper than a path reaches: what cannot be counted ends a cell.
_DEEP = """
import os
top = os.getcwd()
for number in range(8):
    os.chdir(top)
    for _ in range(1500):
        os.mkdir(str(number))
        os.chdir(str(number))
"""


async def test_a_cell_that_takes_long_to_clear_up_is_no_failure_of_the_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its processes are dead: the worker is at work on its files, not broken."""
    async with (
        sandboxed("landlock", replace(LIMITS, wall=60, cpu=60, inodes=20_000)) as sandbox,
        sandbox.open("command") as cell,
    ):
        assert await command(cell, "python3", "p.py", files={"p.py": _DEEP}) == 0
        monkeypatch.setattr("refiner.sandbox.running.SILENCE", 2.0)
        ending = await cell.close()
    assert ending.outcome is None
