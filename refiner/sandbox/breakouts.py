"""Attempts to break out of a sandbox, each of which must be held (`inside/breakout.py` makes them)."""

import ctypes
import json
import os
import secrets
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from refiner.domain.errors import SandboxError
from refiner.sandbox.inside.breakout import ATTEMPTS
from refiner.sandbox.limits import Limits
from refiner.sandbox.pool import WorkerPool

SMALL = Limits(
    wall=5, memory=128 << 20, processes=16, file_size=16 << 20, scratch=32 << 20, inodes=256, output=4096, flood=1 << 20
)
_COMPUTES = "computes"
_PROVING = ("reads a file of the user's", "opens a connection", "reads refiner's memory", "signals refiner")


async def breakouts(sandbox: WorkerPool) -> list[tuple[str, bool]]:
    """Every attempt with whether it was held; with the layer "off" none is made, and none is held.

    Raises SandboxError where the sandbox does not even compute.
    """
    if sandbox.layer == "off":
        return [(name, False) for name in ATTEMPTS if name != _COMPUTES]
    with reachable() as targets:
        await _computing(sandbox, targets)
        return [(name, await _held(sandbox, name, targets)) for name in ATTEMPTS if name != _COMPUTES]


async def prove(sandbox: WorkerPool) -> None:
    """Run what must work, and a few of what must not. Raises SandboxError that says which failed."""
    with reachable() as targets:
        await _computing(sandbox, targets)
        for name in _PROVING:
            if not await _held(sandbox, name, targets):
                raise SandboxError(f"the {sandbox.layer} sandbox does not hold: a program {name}")


async def _computing(sandbox: WorkerPool, targets: dict[str, Any]) -> None:
    answer = await _attempt(sandbox, _COMPUTES, targets)
    if answer != "through":
        raise SandboxError(f"the {sandbox.layer} sandbox runs no program: {answer}")


async def _held(sandbox: WorkerPool, name: str, targets: dict[str, Any]) -> bool:
    answer = await _attempt(sandbox, name, targets)
    if name == "leaves a process behind":
        return not any(_called(targets["name"]))
    return answer != "through"


async def _attempt(sandbox: WorkerPool, name: str, targets: dict[str, Any]) -> str:
    async with sandbox.open("breakout", limits=SMALL) as cell:
        await cell.send(json.dumps(targets | {"attempt": name}).encode())
        answer = await cell.receive()
        ending = await cell.close()
    return answer.decode(errors="replace") if answer is not None else f"it ended: {ending.outcome}"


@contextmanager
def reachable() -> Iterator[dict[str, Any]]:
    """What an attempt that is not held would reach: a file, sockets of four kinds, and this process."""
    token = secrets.token_hex(4)
    canary = ctypes.create_string_buffer(b"canary")
    with (
        tempfile.TemporaryDirectory(prefix="refiner-canary-") as folder,
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.socket(socket.AF_UNIX) as path,
        socket.socket(socket.AF_UNIX) as abstract,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagram,
    ):
        Path(folder).chmod(0o755)
        file = Path(folder, "secret")
        file.write_text("canary")
        path.bind(f"{folder}/stream")
        path.listen()
        datagram.bind(f"{folder}/datagram")
        abstract.bind(f"\0refiner-{token}")
        abstract.listen()
        for open_to_all in (file, Path(folder, "stream"), Path(folder, "datagram")):
            open_to_all.chmod(0o666)
        yield {
            "file": str(file),
            "port": listener.getsockname()[1],
            "socket": f"{folder}/stream",
            "datagram": f"{folder}/datagram",
            "abstract": f"refiner-{token}",
            "pid": os.getpid(),
            "address": ctypes.addressof(canary),
            "name": f"out-{token}",
            "limits": asdict(SMALL),
        }


def _called(name: str) -> Iterator[int]:
    """The processes of that name."""
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (place / "comm").read_text().strip() == name:
                yield int(place.name)
