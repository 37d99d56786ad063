"""Where the service listens: one Unix socket that only its user may open, and one service at it."""

import fcntl
import os
import socket
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from refiner.config.paths import made
from refiner.domain.errors import DaemonBusyError, DaemonError, StoreError

BACKLOG = 512


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Be the only service of this socket; the kernel lets go of the lock however the process ends.

    Raises DaemonBusyError where there is another, DaemonError where its folder cannot be written.
    """
    try:
        made(path.parent)
        lock = os.open(path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except (OSError, StoreError) as error:
        raise DaemonError(f"cannot write to {path.parent}, the socket's folder: REFINER_SOCKET moves it") from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = os.read(lock, 32).decode() or "unknown"
            said = f"a service is running already, process {pid}: `refiner daemon stop` ends it"
            raise DaemonBusyError(said) from error
        os.truncate(lock, 0)
        os.write(lock, str(os.getpid()).encode())
        yield
    finally:
        os.close(lock)


@contextmanager
def listening(path: Path, handed: socket.socket | None = None) -> Iterator[socket.socket]:
    """A socket at the path, of mode 0600 in a folder of mode 0700, gone at the end; or the one that systemd handed.

    Raises DaemonError where something that is no socket is in its place, or the path is too long for one, and
    DaemonBusyError where something else listens there.
    """
    if handed is not None:  # systemd made it, and goes on listening when this process has ended
        with handed:
            yield handed
        return
    _cleared(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        sock.bind(str(path))
    except OSError as error:
        raise DaemonError(f"cannot listen at {path}: {error.strerror or error}; REFINER_SOCKET moves it") from error
    finally:
        os.umask(before)
    try:
        sock.listen(BACKLOG)
        yield sock
    finally:
        sock.close()
        path.unlink(missing_ok=True)


def _cleared(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise DaemonError(f"{path} is no socket: move it away, or set REFINER_SOCKET to another place")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.setblocking(False)
        try:
            sock.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except OSError:
            pass  # whatever it is, somebody is there
    raise DaemonBusyError(f"something else listens at {path}: end it, or set REFINER_SOCKET to another place")


def peer_uid(sock: socket.socket) -> int | None:
    """The user at the other end, where the system says it."""
    if not hasattr(socket, "SO_PEERCRED"):
        return None
    size = struct.calcsize("3i")
    _, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return int(uid)
