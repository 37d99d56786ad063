"""The program's side: it is imported, and then does what its tests ask.

The first frame is {"source", "module", "seed"}, every other a question of `peer`. All of this runs in one process with
the program, which may break any of it, and thereby only itself.
"""

import io
import json
import os
import random
import socket
import sys
from contextlib import suppress
from typing import Any

from . import place, program, wire
from .peer import Peer
from .policy import Program

MOST_SAID = 1 << 20


class Said(io.RawIOBase):
    """A stream that keeps what is written to it for the tests, and writes it on to a descriptor."""

    def __init__(self, fd: int) -> None:
        self._fd, self._kept = fd, bytearray()

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._fd

    def write(self, data: Any) -> int:
        part = bytes(data)
        self._kept += part[: MOST_SAID - len(self._kept)]
        with suppress(OSError):
            os.write(self._fd, part)
        return len(part)

    def take(self) -> str:
        text = self._kept.decode("utf-8", "replace")
        self._kept.clear()
        return text


def main(channel: socket.socket) -> None:
    """Serve until the tests are over, or the program ends this process."""
    told = json.loads(wire.read(channel))
    out, err = Said(1), Said(2)
    sys.stdout, sys.stderr = _text(out), _text(err)
    random.seed(told["seed"])
    name = told["module"]
    files = (program.file_name(name), *([place.project] if place.project else []))
    peer = Peer(
        lambda message: wire.write(channel, message),
        lambda: wire.read(channel),
        Program(name.partition(".")[0], files),
        lambda: (out.take(), err.take()),
    )

    def load(wanted: list[str]) -> tuple[int, dict[str, Any]]:
        module = program.load(name, told["source"])
        return peer.number(module), {name: vars(module)[name] for name in wanted if name in vars(module)}

    peer.verbs |= {
        "load": load,
        "names": lambda module: list(vars(module)),
        "await": _awaited,
        "anext": lambda target: _awaited(type(target).__anext__(target)),
    }
    # The depth at which the program finds itself here is not its doing.
    sys.setrecursionlimit(sys.getrecursionlimit() + 100)
    try:
        while True:
            message = wire.read(channel)
            peer.answer(message[1:])
    except wire.ClosedError:
        return


def _text(raw: io.RawIOBase) -> io.TextIOWrapper:
    return io.TextIOWrapper(raw, "utf-8", "backslashreplace", write_through=True)  # type: ignore[arg-type]


_loops: list[Any] = []


def _awaited(target: Any) -> Any:
    import asyncio

    if not _loops:
        _loops.append(asyncio.new_event_loop())

    async def wait() -> Any:
        return await target

    return _loops[0].run_until_complete(wait())
