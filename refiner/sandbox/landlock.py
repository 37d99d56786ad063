"""The layer "landlock": rules for files, a filter of calls and limits, where no namespaces can be had.

It is weaker than bubblewrap: names and sizes of files can be asked for anywhere, the host's paths and processes are
seen, and the scratch is a folder that is watched rather than a file system with a size. See the kernel's
Documentation/userspace-api/landlock.rst for the rights and the versions of the interface.
"""

import ctypes
import platform
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from refiner.domain.errors import SandboxError
from refiner.sandbox import seccomp
from refiner.sandbox.identity import another_user
from refiner.sandbox.interpreter import Interpreter, open_to_all
from refiner.sandbox.limits import Limits
from refiner.sandbox.pool import Role, WorkerPool
from refiner.sandbox.stale import sweep
from refiner.sandbox.worker import Launch
from refiner.sandbox.zygote import INSIDE, environment, preload

_CREATE_RULESET, _VERSION = 444, 1
_EXECUTE, _WRITE, _READ, _LIST = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REFER, _TRUNCATE, _DEVICE = 1 << 13, 1 << 14, 1 << 15
_MAKE_DEVICES = 1 << 6 | 1 << 11
_FIRST_RIGHTS = (1 << 13) - 1
_TRUNCATES, _CONNECTS, _SCOPES = 3, 4, 6
"""The versions of the interface that hold truncation, TCP, and signals with abstract sockets."""
_DAC_READ_SEARCH = 1 << 2

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc/ld.so.cache", "/etc/alternatives")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")


def version() -> int:
    """Of the kernel's Landlock; 0 where there is none."""
    if platform.system() != "Linux":
        return 0
    libc = ctypes.CDLL(None, use_errno=True)
    return max(0, int(libc.syscall(ctypes.c_long(_CREATE_RULESET), None, ctypes.c_size_t(0), ctypes.c_uint(_VERSION))))


def sandbox(
    interpreter: Interpreter, limits: Limits, *, most: int | None = None, within: str | None = None
) -> WorkerPool:
    """Cells among the user's own processes; their scratch is made `within` a folder, by default the one for such.

    Raises SandboxError where the kernel has no Landlock, or there is no filter for the machine.
    """
    known = version()
    if not known:
        raise SandboxError("this kernel has no Landlock: boot it with landlock in the lsm= parameter")
    rules = seccomp.shared(signals_scoped=known >= _SCOPES, truncation_held=known >= _TRUNCATES)
    program = seccomp.assemble(rules, seccomp.machine()).hex()
    base = within or tempfile.gettempdir()
    sweep(base)
    uid = another_user()

    def launch(role: Role, folder: str | None) -> Launch:
        read = [*_SYSTEM, interpreter.prefix, str(INSIDE), *interpreter.packages, *([folder] if folder else [])]
        config: dict[str, Any] = {
            "layer": "landlock",
            "packages": list(interpreter.packages),
            "project": folder,
            "preload": preload(role),
            "scratch": base,
            "uid": uid,
            "filter": program,
            "rules": _rules(read, known),
            "access": (_all(known), _all(known) & ~(_MAKE_DEVICES | _DEVICE)),
            "held": (3 if known >= _CONNECTS else 0, 3 if known >= _SCOPES else 0),
            # Nobody may have no way to the interpreter of root's; which files he then reads is Landlock's to say.
            "kept": _DAC_READ_SEARCH if uid and not all(map(open_to_all, read)) else 0,
        }
        argv = [interpreter.path, "-I", "-S", "-B", str(INSIDE / "zygote.py")]
        return Launch(argv, environment(interpreter, base), config)

    return WorkerPool("landlock", launch, limits, most=most)


def _all(known: int) -> int:
    """Every right to files that this version can hold back."""
    rights = _FIRST_RIGHTS
    for since, right in ((2, _REFER), (3, _TRUNCATE), (5, _DEVICE)):
        rights |= right if known >= since else 0
    return rights


def _rules(read: Sequence[str], known: int) -> list[tuple[str, int]]:
    found = []
    for path in read:
        if Path(path).is_dir():
            found.append((path, _EXECUTE | _READ | _LIST))
        elif Path(path).exists():
            found.append((path, _EXECUTE | _READ))
    return found + [(path, (_READ | _WRITE) & _all(known)) for path in _DEVICES]
