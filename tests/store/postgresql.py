"""A private PostgreSQL server: a Unix socket in a folder of its own, and nothing of it left afterwards."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg


def binaries() -> Path | None:
    """The folder of initdb and pg_ctl: the newest of Debian's, or what the PATH has; None without PostgreSQL."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    found = str(debian[-1]) if debian else shutil.which("initdb")
    return Path(found).parent if found else None


class Cluster:
    """A running server; every database in it is a fresh one."""

    def __init__(self, folder: Path, run: Callable[..., None]) -> None:
        self._folder, self._run = folder, run
        self._numbers = count()

    def new_database(self) -> str:
        name = f"refiner{next(self._numbers)}"
        with psycopg.connect(host=str(self._folder), user="refiner", dbname="postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return f"postgresql+psycopg://refiner@/{name}?host={self._folder}"

    def start(self) -> None:
        options = f"-c listen_addresses= -c unix_socket_directories={self._folder} -c fsync=off -c max_connections=200"
        self._run("pg_ctl", "start", "-w", "-l", str(self._folder / "log"), "-o", options)

    def stop(self) -> None:
        self._run("pg_ctl", "stop", "-m", "immediate")


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Start a server, as an unprivileged user where we are root, because PostgreSQL refuses root."""
    tools = binaries()
    assert tools is not None
    user = next(name for name in ("postgres", "nobody") if _exists(name)) if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="refiner-pg-") as name:
        folder = Path(name)
        if user is not None:
            shutil.chown(folder, user)

        def run(tool: str, *arguments: str) -> None:
            command = [str(tools / tool), "-D", str(folder / "data"), *arguments]
            subprocess.run(command, user=user, cwd=folder, check=True, stdout=subprocess.DEVNULL, timeout=120)

        run("initdb", "-A", "trust", "-U", "refiner", "-E", "UTF8", "--no-locale", "--no-sync")
        running = Cluster(folder, run)
        running.start()
        try:
            yield running
        finally:
            running.stop()


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True
