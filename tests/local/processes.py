"""Processes as the tests see them.

Run as a program, it takes a lease when it reads a line, and holds it until its input ends.
"""

import os
import socket
import struct
import sys
from contextlib import suppress
from pathlib import Path

import anyio
import anyio.to_thread

from refiner.providers.local.settings import LocalSettings
from refiner.providers.local.sharing import Lease

SMALL = LocalSettings(threads=1, context=512, parallel=2, keep_alive=0)
"""Quickly loaded, and ended with its last user. Threads wait for each other, which takes long beside other tests."""


def server_of(path: Path) -> int:
    """The process that listens on a Unix socket."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        pid, _, _ = struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return int(pid)


def servers_below(folder: Path) -> list[int]:
    """All processes that serve, or are about to serve, on a socket below a folder."""
    found = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if b"local.server" in (said := line.read_bytes()) and os.fsencode(folder) in said:
                found.append(int(line.parent.name))
    return found


class Watched:
    """A process, watched from before it ends."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._descriptor = os.pidfd_open(pid)

    async def ended(self) -> None:
        """Return once it has ended; fails after a minute."""
        with anyio.fail_after(60):
            await anyio.wait_readable(self._descriptor)
        os.close(self._descriptor)


async def main(model: Path, runtime: Path) -> None:
    print("up", flush=True)
    sys.stdin.readline()
    lease = Lease(model, runtime, SMALL)
    await lease.take()
    print(server_of(lease.socket), flush=True)
    await anyio.to_thread.run_sync(sys.stdin.read)
    lease.release()


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]), Path(sys.argv[2]))
