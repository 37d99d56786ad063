"""Runs hostile programs in a layer and says what got out: `python -m tests.sandbox.trial LAYER` prints JSON."""

# ruff: noqa: ASYNC240, PTH111, PTH208

import json
import os
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import anyio

from refiner.sandbox.breakouts import SMALL, reachable
from refiner.sandbox.cell import Cell, Ending
from refiner.sandbox.choose import Layer, sandbox_of
from refiner.sandbox.limits import Limits
from refiner.sandbox.pool import WorkerPool

HOSTILE = Path(__file__).parent / "hostile"
PROGRAMS = sorted(path.stem for path in HOSTILE.glob("[!_]*.py"))
LAYERS: tuple[Layer, ...] = ("bubblewrap", "landlock")
LIMITS = SMALL


@asynccontextmanager
async def sandboxed(layer: Layer, limits: Limits = LIMITS, **options: Any) -> AsyncIterator[WorkerPool]:
    sandbox = await sandbox_of(layer, limits, **options)
    try:
        yield sandbox
    finally:
        await sandbox.aclose()


async def command(cell: Cell, *argv: str, **more: Any) -> int | None:
    """The exit code of a command in the cell; None where it ended before."""
    await cell.send(json.dumps({"argv": argv, **more}).encode())
    answer = await cell.receive()
    return None if answer is None else int(json.loads(answer)["exit"])


async def ran(sandbox: WorkerPool, source: str, *operands: str, limits: Limits | None = None) -> Ending:
    """How a Python program ended in a cell of its own."""
    async with sandbox.open("command", limits=limits) as cell:
        await command(cell, "python3", "-u", "program.py", *operands, files={"program.py": source})
        return await cell.close()


def named(name: str) -> list[str]:
    """The processes of that name, the dead among them left out."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            status = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            continue
        if f"({name})" in status and status.rpartition(")")[2].split()[0] not in "ZX":
            found.append(pid)
    return found


def residue(name: str) -> list[str]:
    """Files of that name where anybody may write."""
    folders = {"/tmp", "/var/tmp", "/dev/shm", tempfile.gettempdir(), os.path.expanduser("~")}
    return [f"{folder}/{name}" for folder in folders if os.path.lexists(f"{folder}/{name}")]


async def trial(sandbox: WorkerPool, program: str) -> list[str]:
    """What the program got that it may not have; nothing when it was held."""
    limits = LIMITS
    with reachable() as targets:
        file = Path(targets["file"])
        before = file.stat(), sorted(os.listdir(file.parent)), file.read_text()
        began = time.monotonic()
        operand = json.dumps(targets | {"limits": asdict(limits)})
        ending = await ran(sandbox, (HOSTILE / f"{program}.py").read_text(), operand, limits=limits)
        output = ending.output.decode(errors="replace")
        found = [line for line in output.splitlines() if line.startswith("BROKEN")]
        found += [f"survivor {pid}" for pid in named(targets["name"])]
        found += [f"residue {path}" for path in residue(targets["name"])]
        if time.monotonic() - began > limits.wall + 10:
            found.append("it was not ended in time")
        if len(ending.output) > 2 * limits.output:
            found.append("its output was kept")
        if "Traceback" in output:
            found.append(f"the program is broken itself: {output[-500:]}")
        now = file.stat(), sorted(os.listdir(file.parent)), file.read_text()
        # Reading may change the time of access, and is not what is looked for here.
        if (now[0][:7], now[0].st_mtime_ns, now[0].st_ctime_ns, *now[1:]) != (
            before[0][:7],
            before[0].st_mtime_ns,
            before[0].st_ctime_ns,
            *before[1:],
        ):
            found.append("the user's file was changed")
    found += [f"left {left}" for left in scratch_left(sandbox)]
    return found


def scratch_left(sandbox: WorkerPool) -> list[str]:
    """Scratch of cells that are over."""
    folders = [worker.folder for idle in sandbox.idle.values() for worker in idle if worker.folder]
    return [f"{folder}/{name}" for folder in folders for name in os.listdir(folder)]


async def trials(layer: Layer) -> dict[str, list[str]]:
    async with sandboxed(layer) as sandbox:
        return {program: await trial(sandbox, program) for program in PROGRAMS}


def main() -> None:
    socket.setdefaulttimeout(5)
    layer: Any = sys.argv[1]
    print(json.dumps({"uid": os.getuid(), "findings": anyio.run(trials, layer)}))


if __name__ == "__main__":
    main()
