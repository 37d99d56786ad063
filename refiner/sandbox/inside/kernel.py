"""Calls of the kernel that Python has no function for. Every refusal raises OSError."""

import ctypes
import os
from typing import Any

NEW_MOUNTS, NEW_IPC, NEW_USER, NEW_PID = 0x00020000, 0x08000000, 0x10000000, 0x20000000
NO_SUID, NO_DEVICES = 2, 4
SET_DEATH_SIGNAL, SET_DUMPABLE, SET_KEEPCAPS, SET_SUBREAPER, SET_NO_NEW_PRIVS, CAP_AMBIENT = 1, 4, 8, 36, 38, 47
# The numbers of these calls are the same on x86-64 and on arm64, but for capset.
LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 444, 445, 446
SECCOMP = {"x86_64": 317, "aarch64": 277}
CAPSET = {"x86_64": 126, "aarch64": 91}

_libc: Any = ctypes.CDLL(None, use_errno=True)
_itself = -1


class Filter(ctypes.Structure):
    """`struct sock_fprog`: a BPF program, made before the fork since making it is slow."""

    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_char_p)]

    @classmethod
    def of(cls, program: bytes) -> "Filter":
        return cls(len(program) // 8, program)


class Ruleset(ctypes.Structure):
    """`struct landlock_ruleset_attr`."""

    _fields_ = [("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64)]


class Beneath(ctypes.Structure):
    """`struct landlock_path_beneath_attr`."""

    _pack_ = 1
    _fields_ = [("rights", ctypes.c_uint64), ("parent", ctypes.c_int32)]


def _check(result: int, what: str) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")
    return result


def _call(what: str, number: int, *operands: Any) -> int:
    wide = [ctypes.c_long(value) if isinstance(value, int) else value for value in operands]
    return _check(_libc.syscall(ctypes.c_long(number), *wide), what)


def _prctl(what: str, option: int, *operands: int) -> int:
    values = [ctypes.c_ulong(value) for value in (*operands, 0, 0, 0, 0)[:4]]
    return _check(_libc.prctl(option, *values), what)


def unshare(flags: int) -> None:
    """Leave namespaces for new ones."""
    _check(_libc.unshare(flags), "unshare")


def remember() -> None:
    """Keep this process's pid namespace at hand for `back`."""
    global _itself
    _itself = os.pidfd_open(os.getpid())


def back() -> None:
    """After `unshare(NEW_PID)` and a fork: later forks are born here again."""
    _check(_libc.setns(_itself, NEW_PID), "setns")


def mount(source: str, target: str, kind: str, flags: int, options: str) -> None:
    """Mount a file system."""
    values = source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode()
    _check(_libc.mount(*values), f"mount {target}")


def subreaper() -> None:
    """Orphans below this process become its children."""
    _prctl("subreaper", SET_SUBREAPER, 1)


def die_with_parent() -> None:
    """When the zygote is killed, so is this process; to be said after the last change of user, which forgets it."""
    _prctl("death signal", SET_DEATH_SIGNAL, 9)


def dumpable() -> None:
    """The host, of the same user, may look at what this process uses."""
    _prctl("dumpable", SET_DUMPABLE, 1)


def keep_capabilities(kept: int) -> None:
    """Before the user changes: do not lose them with it."""
    if kept:
        _prctl("keepcaps", SET_KEEPCAPS, 1)


def drop_capabilities(kept: int) -> None:
    """All but those in the mask `kept`. With no_new_privs, which the filter brings, none can be had again."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    low, high = kept & 0xFFFFFFFF, kept >> 32
    _call("capset", CAPSET[os.uname().machine], header, (ctypes.c_uint32 * 6)(low, low, low, high, high, high))
    for capability in range(kept.bit_length()):
        if kept >> capability & 1:
            _prctl("ambient", CAP_AMBIENT, 2, capability)


def filter_calls(program: Filter) -> None:
    """Let only the calls through that the program lets through, here and in all that is started from here."""
    _prctl("no_new_privs", SET_NO_NEW_PRIVS, 1)
    _call("seccomp", SECCOMP[os.uname().machine], 1, 0, ctypes.byref(program))


def landlock(rules: list[tuple[str, int]], folder: str, access: tuple[int, int], held: tuple[int, int]) -> None:
    """Of all files only those below the rules' paths, each with its rights, and those below the folder.

    access: all the rights that this kernel knows, and those that the folder is given. held: rights to the network that
    nothing has, and what does not leave the cell (abstract sockets, signals).
    """
    handled, writable = access

    wanted = Ruleset(handled, *held)
    # An older kernel knows a shorter structure, and takes a longer one only when what it doesn't know is zero.
    fd = _call("landlock", LANDLOCK_CREATE, ctypes.byref(wanted), ctypes.sizeof(wanted), 0)
    try:
        for path, rights in [*rules, (folder, writable)]:
            parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
            try:
                rule = Beneath(rights, parent)
                _call(f"landlock {path}", LANDLOCK_ADD, fd, 1, ctypes.byref(rule), 0)
            finally:
                os.close(parent)
        _prctl("no_new_privs", SET_NO_NEW_PRIVS, 1)
        _call("landlock", LANDLOCK_RESTRICT, fd, 0)
    finally:
        os.close(fd)
