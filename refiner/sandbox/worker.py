"""The host's end of one warm worker: a sandbox with a zygote in it (`inside/zygote.py`)."""

import json
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.to_thread

from refiner.domain.errors import SandboxError
from refiner.sandbox.inside import scratch
from refiner.sandbox.usage import below, group

READY_SECONDS = 20.0
_DYING_SECONDS = 5.0
_MESSAGE = 1 << 16
_MOST_COMPLAINT = 4096

# A sandbox dies with the thread that started it, so that is one that lives as long as the process does.
_STARTER = ThreadPoolExecutor(1, thread_name_prefix="refiner-sandbox")


@dataclass(frozen=True, slots=True)
class Launch:
    """How a worker is started: the command that ends in the zygote, to which the control socket's number is added.

    config is what the zygote is told first. The environment is built from nothing but `env`.
    """

    argv: Sequence[str]
    env: Mapping[str, str]
    config: Mapping[str, Any] = field(default_factory=dict)


class Worker:
    """A process tree that opens one cell at a time."""

    def __init__(self, process: "subprocess.Popen[bytes]", control: socket.socket, complaint: int) -> None:
        self._process = process
        self._control = control
        self._complaint = complaint
        self._ended = False
        self.opened = 0
        self.folder: str | None = None
        """Where the scratch of its cells lies, where that is a folder of the host."""

    @classmethod
    async def start(cls, launch: Launch) -> "Worker":
        """Raises SandboxError, with what the sandbox said, where none comes up."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        theirs.setblocking(True)
        complaint, stderr = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            process = await anyio.to_thread.run_sync(_started, launch, theirs.fileno(), stderr)
        except OSError as error:
            ours.close()
            os.close(complaint)
            raise SandboxError(f"{launch.argv[0]} does not start: {error.strerror or error}") from error
        finally:
            theirs.close()
            os.close(stderr)
        worker = cls(process, ours, complaint)
        try:
            await worker._greet(launch)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await worker.end()
            raise
        return worker

    async def _greet(self, launch: Launch) -> None:
        with anyio.move_on_after(READY_SECONDS):
            await self.say(launch.config)
            told = await self.hear() or {}
            if told.get("ready"):
                self.folder = told["folder"]
                return
        raise SandboxError(self.complaint() or "it does not answer")

    @property
    def pid(self) -> int:
        """The process that was started; the cell is among its descendants."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    async def say(self, message: Mapping[str, Any], fds: Sequence[int] = ()) -> None:
        """Send a message with descriptors; a worker that is gone takes it silently."""
        text = json.dumps(message).encode()
        with suppress(OSError):
            while True:
                try:
                    socket.send_fds(self._control, [text], list(fds))
                except BlockingIOError:
                    await anyio.wait_writable(self._control)
                else:
                    return

    async def hear(self) -> dict[str, Any] | None:
        """The next message, None once the worker is gone."""
        while True:
            try:
                text = self._control.recv(_MESSAGE)
            except BlockingIOError:
                await anyio.wait_readable(self._control)
                continue
            except OSError:
                return None
            return json.loads(text) if text else None

    def complaint(self) -> str:
        """The last line of what it wrote on standard error."""
        with suppress(OSError):
            lines = os.read(self._complaint, _MOST_COMPLAINT).decode(errors="replace").strip().splitlines()
            return lines[-1] if lines else ""
        return ""

    async def end(self, *, cell: int | None = None, grace: float = 3.0) -> None:
        """It and all that it started is dead, and the scratch gone, when this returns. Idempotent.

        cell: the first process of the cell that still runs, where that is a process group of this machine.
        """
        if self._ended:
            return
        self._ended = True
        # Told by the closed socket, it clears up first; a sandbox that does not is killed.
        self._control.close()
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(_ended, self._process, cell, grace)
            if self.folder:
                await anyio.to_thread.run_sync(scratch.remove, self.folder)
        os.close(self._complaint)


def _started(launch: Launch, control: int, stderr: int) -> "subprocess.Popen[bytes]":
    def start() -> "subprocess.Popen[bytes]":
        return subprocess.Popen(  # noqa: S603 (the command is ours)
            [*launch.argv, str(control)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            env=dict(launch.env),
            cwd="/",
            pass_fds=[control],
            start_new_session=True,
        )

    return _STARTER.submit(start).result()


def _ended(process: "subprocess.Popen[bytes]", cell: int | None, grace: float) -> None:
    try:
        process.wait(grace)
    except subprocess.TimeoutExpired:
        tree = below(process.pid, 0).pids
        process.kill()
        process.wait()
        _killed(tree)
    # New ones may have been born while the others were killed, but not by the dead.
    ends = time.monotonic() + _DYING_SECONDS
    while cell and (members := group(cell)) and time.monotonic() < ends:
        _killed(members)


def _killed(pids: Iterable[int]) -> None:
    """Kill processes, and wait until they are dead; the first one of a namespace is when all others in it are."""
    held = []
    for pid in pids:
        with suppress(OSError):
            held.append(os.pidfd_open(pid))
    for fd in held:
        with suppress(OSError):
            signal.pidfd_send_signal(fd, signal.SIGKILL)
    for fd in held:
        select.select([fd], [], [], _DYING_SECONDS)
        os.close(fd)
