"""The program as its user sees it: words, a folder and an environment in; streams and an exit code out."""

import contextlib
import json
import os
import pty
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from refiner.client.client import Client
from refiner.domain.errors import DaemonError
from tests.scripted import Scripted

KEYS = {"openai": "sk-test-SECRET0123456789abcdef", "anthropic": "SECRET/of.a+gateway=0123456789"}
"""The keys that every test has in its environment, and that must never be seen anywhere else."""

PATIENCE = 60.0
"""Seconds until a program that does not end counts as hanging."""

COLUMNS = 60
"""How wide its terminal is."""


@dataclass(frozen=True)
class Done:
    """A process that has ended: exit code (minus the signal's number for one that was killed) and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as the one JSON value that it has to be."""
        return json.loads(self.out)

    @property
    def events(self) -> list[dict[str, Any]]:
        """Standard output as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def error(self) -> str:
        """The message of the one line that an error may write to standard error."""
        assert self.err.startswith("refiner: error: "), self.err
        assert self.err.count("\n") == 1, self.err
        return self.err.removeprefix("refiner: error: ").rstrip("\n")


@dataclass
class Process:
    """A process of the program while it runs."""

    _report: int
    _out: IO[bytes]
    _err: IO[bytes]
    pid: int = 0
    running: bool = True

    def __post_init__(self) -> None:
        self.pid = self._heard()

    def line(self) -> str:
        """The next line of standard output, which has to be a pipe; "" at its end."""
        return self._out.readline().decode()

    def said(self, words: str) -> None:
        """Wait until the terminal that is its standard error shows the words."""
        shown = b""
        while words.encode() not in shown:
            if not select.select([self._err], [], [], PATIENCE)[0]:
                raise TimeoutError(f"process {self.pid} has not said {words!r} in {PATIENCE:g} seconds")
            shown += self._err.read(1 << 12)

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def interrupt(self) -> None:
        """Press Ctrl-C and see it taken, for two signals of a kind that wait together are one."""
        self.signal(signal.SIGINT)
        status = Path(f"/proc/{self.pid}/status")
        while any(int(line.split()[1], 16) for line in status.read_text().splitlines() if line[3:].startswith("Pnd:")):
            pass

    def wait(self) -> Done:
        code = self._heard()
        self.running = False
        os.close(self._report)
        out, err = (_rest(stream) for stream in (self._out, self._err))
        return Done(code, out, err)

    @property
    def ended(self) -> bool:
        """Whether it has ended by itself; `wait` says how."""
        return bool(select.select([self._report], [], [], 0)[0])

    def end(self) -> None:
        """Kill it if a test that failed left it behind."""
        if self.running:
            self.signal(signal.SIGKILL)
            self.wait()

    def _heard(self) -> int:
        if not select.select([self._report], [], [], PATIENCE)[0]:
            raise TimeoutError(f"process {self.pid} still runs after {PATIENCE:g} seconds")
        (number,) = struct.unpack("i", os.read(self._report, 4))
        return int(number)


@dataclass(frozen=True)
class Program:
    """Starts processes of the program: `words` on the command line, `folder` as the place, `environ` around it."""

    requests: socket.socket
    folder: Path
    environ: Mapping[str, str]
    started: list[Process] = field(default_factory=list)

    @property
    def home(self) -> Path:
        return Path(self.environ["REFINER_HOME"])

    @property
    def socket(self) -> Path:
        return self.home / "runtime" / "refiner.sock"

    @property
    def client(self) -> Client:
        return Client(self.socket)

    @property
    def database(self) -> Path:
        return self.home / "data" / "refiner.db"

    def under(self, **environ: str | None) -> "Program":
        """The same program with other environment variables; None takes one away."""
        around = {name: value for name, value in {**self.environ, **environ}.items() if value is not None}
        return replace(self, environ=around)

    def __call__(
        self, *words: str, stdin: bytes | None = None, terminal: bool = False, connections: Path | None = None
    ) -> Done:
        """Run a command line to its end."""
        return self.start(*words, stdin=stdin, terminal=terminal, connections=connections).wait()

    def serve(self, *words: str, terminal: bool = False) -> Process:
        """Begin a service, which answers by then."""
        process = self.start("serve", *words, terminal=terminal)
        while not self.served:
            assert not process.ended
        return process

    @property
    def served(self) -> bool:
        """Whether a service answers."""
        try:
            self.client.get("/healthz")
        except DaemonError:
            return False
        return True

    def start(
        self,
        *words: str,
        stdin: bytes | int | None = None,
        stdout: int | None = None,
        piped: bool = False,
        terminal: bool = False,
        connections: Path | None = None,
    ) -> Process:
        """Begin a command line.

        stdin: what a pipe holds, or a descriptor. stdout: the descriptor that standard output goes to instead of being
        kept. piped: `Process.line` reads it. terminal: standard error is one. connections: a file that gets every
        address that the process reaches for.
        """
        place = {"environ": dict(self.environ), "folder": str(self.folder), "connections": str(connections or "")}
        heard, report = os.pipe()
        out, written = _pipe() if piped else _file()
        err, complained = _terminal() if terminal else _file()
        with _input(stdin) as given:
            streams = [given.fileno(), written if stdout is None else stdout, complained, report]
            socket.send_fds(self.requests, [json.dumps({"words": words, **place}).encode()], streams)
        for descriptor in (report, written, complained):
            os.close(descriptor)
        process = Process(heard, out, err)
        self.started.append(process)
        return process


@contextlib.contextmanager
def warm() -> Iterator[socket.socket]:
    """A way to ask for processes that start at once: they are forked from one that has imported everything."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, "-m", "tests.end_to_end.warm", str(theirs.fileno())]
    environ = {"PATH": os.environ.get("PATH", os.defpath)}
    with ours, subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()], env=environ):
        theirs.close()
        try:
            yield ours
        finally:
            ours.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def seated(requests: socket.socket, place: Path, server: Scripted) -> Iterator[Program]:
    """The program for one user: a home of their own, a key, and the scripted server behind every provider."""
    folder, home = place / "work", place / "user"
    folder.mkdir()
    home.mkdir()
    environ = {
        "HOME": str(home),
        "REFINER_HOME": str(place / "home"),
        "REFINER_MODEL": "openai:scripted",
        "REFINER_RETRY__ATTEMPTS": "1",
        "OPENAI_API_KEY": KEYS["openai"],
        "OPENAI_BASE_URL": server.openai,
        "ANTHROPIC_API_KEY": KEYS["anthropic"],
        "ANTHROPIC_BASE_URL": server.anthropic,
    }
    program = Program(requests, folder, environ)
    try:
        yield program
    finally:
        for process in program.started:
            process.end()


@contextlib.contextmanager
def _input(content: bytes | int | None) -> Iterator[IO[bytes]]:
    """Standard input: nothing, a descriptor, or a pipe that holds the content, or a file where a pipe would be full."""
    if isinstance(content, int):
        with os.fdopen(os.dup(content), "rb", buffering=0) as given:
            yield given
    elif content is None:
        with Path(os.devnull).open("rb") as nothing:
            yield nothing
    elif len(content) < 1 << 16:
        read, write = os.pipe()
        os.write(write, content)
        os.close(write)
        with os.fdopen(read, "rb") as pipe:
            yield pipe
    else:
        with TemporaryFile() as file:
            file.write(content)
            file.seek(0)
            yield file


def _pipe() -> tuple[IO[bytes], int]:
    read, write = os.pipe()
    return os.fdopen(read, "rb"), write


def _file() -> tuple[IO[bytes], int]:
    file: IO[bytes] = TemporaryFile()  # noqa: SIM115 (it is closed when the process has ended)
    return file, os.dup(file.fileno())


def _terminal() -> tuple[IO[bytes], int]:
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, COLUMNS))
    return os.fdopen(master, "rb", buffering=0), slave


def _rest(stream: IO[bytes]) -> str:
    with stream:
        if stream.seekable():
            stream.seek(0)
        chunks = []
        with contextlib.suppress(OSError):  # a terminal that everybody has left fails to be read
            while chunk := stream.read(1 << 16):
                chunks.append(chunk)
        return b"".join(chunks).decode()
