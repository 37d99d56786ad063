"""A parent for processes of the program: it has imported everything, so that each of its children starts at once.

Run with a SEQPACKET socket's number: each packet is a JSON object (words, environ, folder, connections) with four
descriptors: standard input, output and error, and a pipe that hears the child's id and then its exit code.
"""

import atexit
import gc
import json
import os
import signal
import socket
import struct
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

COMMANDS = ("completion", "config", "db", "doctor", "main", "model", "policy", "progress", "run", "signals", "solve")
LIBRARIES = (
    *("refiner.app.forecast", "refiner.app.plan", "refiner.app.world", "refiner.config.sources"),
    *("refiner.providers.openai", "openai.resources.chat.completions", "openai.resources.models", "httpcore2"),
    *("refiner.providers.anthropic", "anthropic.resources.messages", "truststore", "genai_prices.data", "tiktoken"),
    *("refiner.store.maintain", "alembic.command", "alembic.config", "alembic.script", "sqlalchemy.dialects.sqlite"),
    *("asyncio", "anyio._backends._asyncio", "anyio._core._signals", "platformdirs.unix"),
)


_ended: list[int] = []
"""The exit code of the program, once there is one."""


def main() -> int:
    atexit.register(_leave)
    requests = socket.socket(fileno=int(sys.argv[1]))
    for name in (*LIBRARIES, *(f"refiner.cli.{command}" for command in COMMANDS)):
        import_module(name)
    gc.freeze()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in what a shell runs in the background
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who report
    while True:
        packet, descriptors, *_ = socket.recv_fds(requests, 1 << 18, 4)
        if not packet:
            return 0
        if os.fork() == 0:
            requests.close()
            return _reporting(json.loads(packet), *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _reporting(request: dict[str, Any], *descriptors: int) -> int:
    """In a process of its own: start the program, and report how it ended. It returns in the program alone."""
    *streams, report = descriptors
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    child = os.fork()
    if child == 0:
        os.close(report)
        return _program(request, streams)
    for stream in (0, 1, 2, *streams):
        os.close(stream)
    os.write(report, struct.pack("i", child))
    _, status = os.waitpid(child, 0)
    os.write(report, struct.pack("i", os.waitstatus_to_exitcode(status)))
    os._exit(0)


def _program(request: dict[str, Any], streams: list[int]) -> int:
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environ"])
    sys.argv = ["refiner", *request["words"]]
    if request["connections"]:
        _note_connections(Path(request["connections"]))
    from refiner.cli.main import main as program

    _ended.append(program())
    return _ended[0]


def _leave() -> None:
    """The last thing at the exit of the program: not to free each module again that the parent has imported."""
    if _ended:
        sys.stdout.flush()
        os._exit(_ended[0])


def _note_connections(file: Path) -> None:
    """Write down every address that the process connects to or looks up."""
    noted = file.open("a", buffering=1)

    def hook(event: str, values: tuple[Any, ...]) -> None:
        if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
            noted.write(json.dumps(values[1:3] if event == "socket.connect" else values, default=str) + "\n")

    sys.addaudithook(hook)


if __name__ == "__main__":
    sys.exit(main())
