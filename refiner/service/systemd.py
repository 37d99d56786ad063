"""What systemd and the service say to each other: sd_notify(3) and sd_listen_fds(3)."""

import os
import socket
import time
from contextlib import suppress

from refiner.domain.errors import DaemonError

FIRST = 3
"""The first descriptor that is handed over."""

READY, STOPPING = "READY=1", "STOPPING=1"


def notify(state: str) -> None:
    """Tell the service manager, where one started this process and wants to know."""
    if address := os.environ.get("NOTIFY_SOCKET"):
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.connect("\0" + address[1:] if address[0] == "@" else address)
            sock.sendall(state.encode())


def reloading() -> str:
    """The state that begins a reload, which READY ends."""
    return f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}"


def handed() -> socket.socket | None:
    """The listening Unix socket that systemd handed over, if any, once. Raises DaemonError for anything else."""
    said = [os.environ.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")]
    if said[0] != str(os.getpid()) or said[1] in ("", "0"):
        return None
    try:
        sock = socket.socket(fileno=FIRST)
        fits = said[1] == "1" and sock.family == socket.AF_UNIX and sock.type == socket.SOCK_STREAM
    except OSError:
        fits = False
    if not fits:
        raise DaemonError("systemd hands over something else than one Unix socket: see `refiner daemon unit --socket`")
    sock.set_inheritable(False)
    return sock
