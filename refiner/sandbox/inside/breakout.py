"""Attempts to do what no cell may do, one for each cell: the frame names it, the answer says whether it was held.

The host has made what there is to reach: a file, a listener, itself; whoever gets there has broken out. No attempt does
any harm when it gets through.
"""

import contextlib
import ctypes
import json
import os
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

from . import kernel, wire


class Held(Exception):
    """The attempt was turned away, though no call failed."""


def main(channel: socket.socket) -> None:
    """Make the attempt and tell."""
    told = json.loads(wire.read(channel))
    try:
        ATTEMPTS[told["attempt"]](told)
    except (OSError, MemoryError, ValueError, Held) as error:
        wire.write(channel, f"held {type(error).__name__} {error}".encode())
    else:
        wire.write(channel, b"through")


def _computes(told: dict[str, Any]) -> None:
    """No breakout: what every cell must be able to do."""
    import fractions

    with open("scratch", "w") as file:
        file.write(str(fractions.Fraction(told["pid"], 3)))
    if os.waitpid(os.posix_spawn(sys.executable, [sys.executable, "-I", "-S", "-c", "pass"], os.environ), 0)[1]:
        raise Held("no process can be started")


def _reads(told: dict[str, Any]) -> None:
    with open(told["file"]) as file:
        file.read()


def _writes(told: dict[str, Any]) -> None:
    with open(told["file"], "a") as file:
        file.write("broken out")


def _lists(told: dict[str, Any]) -> None:
    os.listdir(os.path.dirname(told["file"]))


def _environment(told: dict[str, Any]) -> None:
    with open(f"/proc/{told['pid']}/environ", "rb") as file:
        file.read()


def _connects(told: dict[str, Any]) -> None:
    socket.create_connection(("127.0.0.1", told["port"]), 1).close()


def _datagram(told: dict[str, Any]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"broken out", ("127.0.0.1", told["port"]))


def _path_socket(told: dict[str, Any]) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(told["socket"])


def _abstract_socket(told: dict[str, Any]) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect("\0" + told["abstract"])


def _pair(told: dict[str, Any]) -> None:
    one, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    one.sendto(b"broken out", told["datagram"])


def _signals(told: dict[str, Any]) -> None:
    os.kill(told["pid"], 0)


def _looks_in(told: dict[str, Any]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(8)
    vector = (ctypes.c_void_p * 2)(ctypes.addressof(buffer), 8)
    if libc.process_vm_readv(told["pid"], vector, 1, (ctypes.c_void_p * 2)(told["address"], 8), 1, 0) < 0:
        raise OSError(ctypes.get_errno(), "process_vm_readv")


def _traces(told: dict[str, Any]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    seize = 0x4206
    if libc.ptrace(seize, told["pid"], None, None) < 0:
        raise OSError(ctypes.get_errno(), "ptrace")


def _mounts(told: dict[str, Any]) -> None:
    # In a folder of its own and not for long: an attempt that succeeds does no harm.
    os.mkdir("mounted")
    kernel.mount("tmpfs", "mounted", "tmpfs", 0, "size=4096")
    ctypes.CDLL(None).umount2(b"mounted", 2)


def _namespaces(told: dict[str, Any]) -> None:
    kernel.unshare(kernel.NEW_USER)


def _becomes_root(told: dict[str, Any]) -> None:
    os.setuid(0)


def _kernel_settings(told: dict[str, Any]) -> None:
    os.close(os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY))


def _devices(told: dict[str, Any]) -> None:
    for path in ("/dev/mem", "/dev/kmsg", "/dev/fuse", "/dev/kvm", "/dev/vda", "/dev/sda", "/dev/nvme0n1"):
        with contextlib.suppress(OSError):
            os.close(os.open(path, os.O_RDONLY))
            return
    raise Held("none opens")


def _system(told: dict[str, Any]) -> None:
    for folder in ("/", "/usr", "/dev", os.path.dirname(__file__), sys.base_prefix, *sys.path[1:]):
        with contextlib.suppress(OSError):
            os.close(os.open(f"{folder}/.broken-out", os.O_WRONLY | os.O_CREAT))
            os.unlink(f"{folder}/.broken-out")
            return
    raise Held("none can be written")


def _memory(told: dict[str, Any]) -> None:
    pieces = [b"x" * (16 << 20) for _ in range(told["limits"]["memory"] // (16 << 20) + 2)]
    time.sleep(len(pieces) and 2)


def _scratch(told: dict[str, Any]) -> None:
    piece = b"x" * (1 << 20)
    for number in range(told["limits"]["scratch"] // (8 << 20) + 2):
        with open(f"scratch{number}", "wb", 0) as file:
            for _ in range(8):
                file.write(piece)
    # A scratch that is watched, not bounded, ends the cell soon after.
    time.sleep(2)


def _inodes(told: dict[str, Any]) -> None:
    for number in range(told["limits"]["inodes"] + 2):
        os.mkdir(f"folder{number}")
    time.sleep(2)


def _file_size(told: dict[str, Any]) -> None:
    with open("scratch", "wb") as file:
        file.truncate(told["limits"]["file_size"] + 1)


def _processes(told: dict[str, Any]) -> None:
    for _ in range(told["limits"]["processes"] + 2):
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
    time.sleep(2)


def _leaves_process(told: dict[str, Any]) -> None:
    """Whether it was held is seen by the host, which looks for the name."""
    ready, done = os.pipe()
    if os.fork() == 0:
        with contextlib.suppress(OSError):
            os.setsid()
        if os.fork() == 0:
            libc = ctypes.CDLL(None)
            libc.prctl(15, told["name"].encode(), 0, 0, 0)
            os.close(done)
            time.sleep(60)
        os._exit(0)
    os.close(done)
    os.read(ready, 1)


ATTEMPTS: dict[str, Callable[[dict[str, Any]], None]] = {
    "computes": _computes,
    "reads a file of the user's": _reads,
    "writes a file of the user's": _writes,
    "lists a folder of the user's": _lists,
    "writes to the system, the interpreter or the packages": _system,
    "reads refiner's environment": _environment,
    "reads refiner's memory": _looks_in,
    "traces refiner": _traces,
    "signals refiner": _signals,
    "opens a connection": _connects,
    "sends a datagram": _datagram,
    "reaches a socket by its path": _path_socket,
    "reaches an abstract socket": _abstract_socket,
    "sends to a socket by way of a pair": _pair,
    "mounts a file system": _mounts,
    "makes a user namespace": _namespaces,
    "becomes root": _becomes_root,
    "sets what belongs to the kernel": _kernel_settings,
    "opens a device": _devices,
    "takes more memory than it may": _memory,
    "starts more processes than it may": _processes,
    "fills more scratch than it may": _scratch,
    "makes more files than it may": _inodes,
    "makes a larger file than it may": _file_size,
    "leaves a process behind": _leaves_process,
}
