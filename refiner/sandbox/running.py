"""A cell that runs: its frames, what it prints, and what ends it."""

import os
import signal
import socket
import struct
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import anyio
import anyio.to_thread

from refiner.domain.code import Outcome
from refiner.sandbox.cell import Ending
from refiner.sandbox.limits import Limits
from refiner.sandbox.usage import below, proportional, written
from refiner.sandbox.worker import Worker

SILENCE = 3.0
"""Seconds that a worker has to say that its cell has ended, before it is taken for broken."""

CLEARING = 120.0
"""Seconds that it may take over the files of a cell whose processes are dead: removing a folder takes milliseconds."""

_WATCH = 0.05
_CHUNK = 1 << 16


class RunningCell:
    """The `Cell` of a worker; `depth`: generations of its own processes between what was started and the cell."""

    def __init__(self, worker: Worker, limits: Limits, depth: int) -> None:
        self.worker, self._limits, self._depth = worker, limits, depth
        self._channel, self._theirs = socket.socketpair()
        self._channel.setblocking(False)
        # Whatever `socket.setdefaulttimeout` says here: the other side waits.
        self._theirs.setblocking(True)
        self._output, self._printing = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._output, False)
        self._began = time.monotonic()
        self._head, self._tail, self._printed = bytearray(), bytearray(), 0
        self._received = bytearray()
        self._outcome: Outcome | None = None
        self._over = anyio.Event()
        self._drained = anyio.Event()
        self._sending, self._receiving = anyio.Lock(fast_acquire=True), anyio.Lock(fast_acquire=True)
        self._beside: list[anyio.CancelScope] = []
        self._ending: Ending | None = None
        self._stopped = self._dead = False
        self._first: int | None = None
        self.failed = ""

    async def begin(self, inside: str) -> None:
        """Ask the worker for the cell."""
        limits = {name: getattr(self._limits, name) for name in Limits.__slots__}
        await self.worker.say({"open": inside, "limits": limits}, [self._theirs.fileno(), self._printing])
        self._theirs.close()
        os.close(self._printing)

    async def send(self, frame: bytes) -> None:
        view = memoryview(struct.pack(">I", len(frame)) + frame)
        async with self._sending:
            with suppress(OSError):
                while view and not self._over.is_set():
                    try:
                        view = view[self._channel.send(view) :]
                    except BlockingIOError:
                        await anyio.wait_writable(self._channel)

    async def receive(self) -> bytes | None:
        async with self._receiving:
            try:
                await self._have(4)
                size = struct.unpack_from(">I", self._received)[0]
                if size > self._limits.frame:
                    await self._stop(Outcome.OUTPUT_LIMIT)
                    return None
                await self._have(4 + size)
            except (EOFError, OSError):
                return None
            frame = bytes(self._received[4 : 4 + size])
            del self._received[: 4 + size]
            return frame

    async def close(self) -> Ending:
        with anyio.CancelScope(shield=True):
            await self._stop(self._outcome)
            with anyio.move_on_after(SILENCE):
                await self._over.wait()
            if self._dead:
                with anyio.move_on_after(CLEARING):
                    await self._over.wait()
            if not self._over.is_set():
                self._outcome = Outcome.SANDBOX
                await self.worker.end(cell=self._first, grace=0.0)
                self._over.set()
            with anyio.move_on_after(SILENCE):
                await self._drained.wait()
        self._channel.close()
        self._ending = self._ending or Ending(self._outcome, self._kept(), time.monotonic() - self._began)
        return self._ending

    async def beside(self, work: Callable[[], Awaitable[None]]) -> None:
        """Work until the release, also when the user of the cell is cancelled: its end has to be heard."""
        with anyio.CancelScope(shield=True) as scope:
            self._beside.append(scope)
            await work()

    def release(self) -> None:
        """End the work beside it, once it is closed."""
        for scope in self._beside:
            scope.cancel()

    async def heard(self) -> None:
        """Wait for the worker to say how the cell ended."""
        while (message := await self.worker.hear()) is not None:
            if "begun" in message:
                # In a pid namespace the number is another one there, and everything ends with the worker.
                self._first = message["begun"] if self.worker.folder else None
            elif "dead" in message:
                self._dead = True
            elif "failed" in message:
                self.failed, self._outcome = message["failed"], Outcome.SANDBOX
            elif "ended" in message:
                self._outcome = self._outcome or self._judged(message)
                self._over.set()
                return
        self._outcome = Outcome.SANDBOX
        self.failed = self.failed or self.worker.complaint()
        await self.worker.end(cell=self._first, grace=0.0)
        self._over.set()

    async def drained(self) -> None:
        """Read what it prints, and keep a little of the beginning and of the end."""
        try:
            while True:
                try:
                    part = os.read(self._output, _CHUNK)
                except BlockingIOError:
                    await anyio.wait_readable(self._output)
                    continue
                if not part:
                    return
                self._keep(part)
                if self._printed > self._limits.flood:
                    await self._stop(Outcome.OUTPUT_LIMIT)
        finally:
            os.close(self._output)
            self._drained.set()

    async def watched(self) -> None:
        """End it when its time is over, or when all its processes together take more than they may."""
        ends = self._began + self._limits.wall
        pause = _WATCH
        while not self._over.is_set():
            with anyio.move_on_after(min(pause, max(0.0, ends - time.monotonic()))):
                await self._over.wait()
                return
            if time.monotonic() >= ends:
                await self._stop(Outcome.TIMEOUT)
                return
            began = time.monotonic()
            outcome = await anyio.to_thread.run_sync(self._excess)
            # Looking is not free on a machine with many processes.
            pause = max(_WATCH, 10 * (time.monotonic() - began))
            if outcome is not None:
                await self._stop(outcome)
                return

    def _excess(self) -> Outcome | None:
        usage = below(self.worker.pid, self._depth)
        if usage.cpu > self._limits.cpu:
            return Outcome.TIMEOUT
        # Their sum counts shared pages often, so it can only acquit.
        if usage.resident > self._limits.memory and proportional(usage.pids) > self._limits.memory:
            return Outcome.MEMORY
        # Threads that share one process are counted by the kernel alone.
        if len(usage.pids) > self._limits.processes:
            return Outcome.KILLED
        return self._overflow(usage.pids) if self.worker.folder else None

    def _overflow(self, pids: tuple[int, ...]) -> Outcome | None:
        try:
            size, number = written(f"{self.worker.folder}/cell", pids)
        except FileNotFoundError:
            return None
        except OSError:
            return Outcome.KILLED
        return Outcome.KILLED if size > self._limits.scratch or number > self._limits.inodes else None

    def _judged(self, message: dict[str, Any]) -> Outcome | None:
        if message["ended"] >= 0 or (self._stopped and message["ended"] == -signal.SIGKILL):
            return None
        return Outcome.TIMEOUT if message["cpu"] >= self._limits.cpu else Outcome.KILLED

    async def _stop(self, outcome: Outcome | None) -> None:
        if not (self._over.is_set() or self._stopped):
            self._stopped, self._outcome = True, self._outcome or outcome
            await self.worker.say({"kill": True})

    async def _have(self, size: int) -> None:
        """Read on until that many bytes are there; a caller that gives up loses none of them."""
        while len(self._received) < size:
            try:
                part = self._channel.recv(_CHUNK)
            except BlockingIOError:
                await anyio.wait_readable(self._channel)
                continue
            if not part:
                raise EOFError
            self._received += part

    def _keep(self, part: bytes) -> None:
        self._printed += len(part)
        half = self._limits.output // 2
        free = half - len(self._head)
        self._head += part[:free]
        self._tail += part[free:] if free > 0 else part
        if len(self._tail) > 2 * half:
            del self._tail[:-half]

    def _kept(self) -> bytes:
        half = self._limits.output // 2
        cut = self._printed - len(self._head) - half
        if cut <= 0:
            return bytes(self._head + self._tail)
        return bytes(self._head) + b"\n[... %d bytes ...]\n" % cut + bytes(self._tail[-half:])
