"""One server process for each model and settings, shared by all refiner processes of the user.

Whoever uses a server holds a shared lock on its lease file, which the kernel takes back even from a killed process; the
server ends once it has that lock alone. Another lock is held from before a server is started until it is ready or dead,
by the starter and by the server itself. So none is started twice, and none ends while somebody uses it.
"""

import fcntl
import hashlib
import json
import os
import socket
import stat
import subprocess
import sys
import tempfile
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import BinaryIO

import anyio
import anyio.to_thread

from refiner.config.paths import made
from refiner.domain.errors import ProviderError, StoreError, UsageError
from refiner.providers.local.server import READY, Options
from refiner.providers.local.settings import LocalSettings, cores

_LONGEST = 107
"""Bytes of a Unix socket's path at the most."""
_POLL = 0.02
_SPINS = "1000"
"""How long threads spin at a barrier: by default so long that on a busy machine they starve each other, to a tenth of
the speed; with this count an idle machine loses a twentieth."""
_SECRET = ("KEY", "TOKEN", "SECRET", "PASSWORD")


class Lease:
    """A share in the one server of a model: while it is held, the server stays.

    socket is where the server listens, for HTTP.
    """

    def __init__(self, model: Path, runtime: Path, settings: LocalSettings) -> None:
        """Takes nothing yet: see take. runtime is the folder where servers are found."""
        self._model, self._settings = model, settings
        self._threads = min(settings.threads or cores(), cores())
        key = _key(model, self._threads, settings)
        self._base = _folder(runtime, len(key)) / key
        self._held: int | None = None

    @property
    def socket(self) -> Path:
        return self._file("sock")

    @property
    def alive(self) -> bool:
        """Whether a server listens."""
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.socket)) == 0

    async def take(self) -> None:
        """Hold the lease, and start the server where none runs. Raises as serve does."""
        self._held = os.open(self._file("lease"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            await _locked(self._held, fcntl.LOCK_SH)
            os.pwrite(self._held, f"{self._settings.keep_alive:20.3f}".encode(), 0)
            await self.serve()
        except BaseException:
            self.release()
            raise

    async def serve(self) -> None:
        """Start the server unless it runs, and wait until it is ready; others wait for the same one.

        Raises UsageError for a model that cannot be loaded, ProviderError for a server that died.
        """
        starting = os.open(self._file("start"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            await _locked(starting, fcntl.LOCK_EX)
            if not self.alive:
                await self._start(starting)
        finally:
            os.close(starting)

    def release(self) -> None:
        if self._held is not None:
            os.close(self._held)
            self._held = None

    async def _start(self, starting: int) -> None:
        settings = self._settings
        options = Options(
            model=str(self._model),
            socket=str(self.socket),
            lease=str(self._file("lease")),
            log=str(self._file("log")),
            starting=starting,
            threads=self._threads,
            context=settings.context,
            parallel=settings.parallel,
            speculation=settings.speculation,
        )
        with await anyio.to_thread.run_sync(_spawn, options) as report:
            await anyio.wait_readable(report)
            said = report.read().decode(errors="replace")
        if said == READY:
            return
        if said:
            raise UsageError(f"cannot load {self._model}: {said}")
        raise ProviderError(f"the server of {self._model} died while it started; see {options.log}", retryable=True)

    def _file(self, kind: str) -> Path:
        return self._base.with_suffix(f".{kind}")


def _spawn(options: Options) -> BinaryIO:
    """Start the server, which leaves at once whoever starts it; the pipe on which it reports."""
    kept = {name: value for name, value in os.environ.items() if not name.upper().endswith(_SECRET)}
    reading, writing = os.pipe()
    try:
        subprocess.run(  # noqa: S603 - our own module
            [sys.executable, "-P", "-m", "refiner.providers.local.server", json.dumps(asdict(options))],
            stdin=subprocess.DEVNULL,
            stdout=writing,
            stderr=subprocess.DEVNULL,
            pass_fds=(options.starting,),
            cwd="/",
            env={"GOMP_SPINCOUNT": _SPINS} | kept,
            start_new_session=True,
            check=False,
        )
    finally:
        os.close(writing)
    return os.fdopen(reading, "rb")


async def _locked(descriptor: int, kind: int) -> None:
    """Take a lock, without a thread that could outlive a cancelled wait."""
    while True:
        try:
            return fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            await anyio.sleep(_POLL)


def _key(model: Path, threads: int, settings: LocalSettings) -> str:
    """What two users must agree on to share a server, in 12 hexadecimal digits."""
    status = model.stat()
    agreed = [
        str(model.resolve()),
        status.st_size,
        status.st_mtime_ns,
        threads,
        settings.context,
        settings.parallel,
        settings.speculation,
        version("refiner"),
        version("xllamacpp"),
    ]
    return hashlib.sha256(json.dumps(agreed).encode()).hexdigest()[:12]


def _folder(runtime: Path, name: int) -> Path:
    """The folder of the servers' files, the user's alone, with a path short enough for a socket of that name."""
    folder = runtime / "local"
    if len(os.fsencode(folder)) + name + len("/.sock") > _LONGEST:
        short = hashlib.sha256(os.fsencode(runtime)).hexdigest()[:8]
        folder = Path(tempfile.gettempdir()) / f"refiner-{os.getuid()}-{short}"
    made(folder)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise StoreError(f"{folder} is not yours alone: remove it, or make it a folder of yours with mode 700")
    return folder
