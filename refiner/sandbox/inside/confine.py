"""What a fork gives up before untrusted code runs in it, and how what it started ends.

The configuration's `layer` says how: `bubblewrap` (namespaces of its own in a sandbox that already is one), `landlock`
(no namespaces: rules and a filter), or `off` (limits alone). Whatever is missing raises OSError: nothing runs then.
"""

import contextlib
import fcntl
import os
import resource
import signal
import tempfile
import time
from typing import Any

from . import kernel, scratch

DESCRIPTORS = 128
PREFIX = "refiner-cells-"
"""How the folder of a worker's cells begins; the worker holds a lock on it for as long as it lives."""


def prepare(config: dict[str, Any]) -> str | None:
    """Once, in the zygote; gives the folder that its cells' scratch will lie in, where that is the host's."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(0o077)
    config["filter"] = kernel.Filter.of(bytes.fromhex(config.get("filter", "")))
    if config["layer"] == "bubblewrap":
        kernel.remember()
        return None
    # What a cell leaves behind becomes a child of this process, which can then find and end it.
    kernel.subreaper()
    while True:
        folder = tempfile.mkdtemp(prefix=PREFIX, dir=config["scratch"])
        # Held for life: who can take the lock knows that nobody will clear up here any more, and may have been faster.
        with contextlib.suppress(FileNotFoundError):
            fcntl.flock(os.open(folder, os.O_RDONLY | os.O_CLOEXEC), fcntl.LOCK_EX)
            os.chmod(folder, 0o711)
            return folder


def before(config: dict[str, Any], folder: str | None) -> str:
    """Just before the fork; gives the cell's scratch folder."""
    if folder is None:
        kernel.unshare(kernel.NEW_PID)
        return "/tmp"
    cell = f"{folder}/cell"
    scratch.remove(cell)
    os.mkdir(cell, 0o700)
    if config["uid"]:
        os.chown(cell, config["uid"], config["uid"])
    # They count against the cell's own processes, and it could not see them from within.
    config["others"] = _tasks_of(config["uid"] or os.getuid())
    return cell


def after(config: dict[str, Any]) -> None:
    """Just after the fork, in the zygote."""
    if config["layer"] == "bubblewrap":
        kernel.back()


def confine(config: dict[str, Any], limits: dict[str, Any], folder: str) -> None:
    """In the fork: everything it must not do becomes impossible, in an order that each step still permits."""
    uid = config["uid"]
    os.umask(0o022)
    os.environ |= {"HOME": folder, "TMPDIR": folder}
    os.environ.pop("PWD", None)
    if config["layer"] == "bubblewrap":
        kernel.unshare(kernel.NEW_MOUNTS | kernel.NEW_IPC)
        options = f"size={limits['scratch']},nr_inodes={limits['inodes']},mode=1777"
        kernel.mount("tmpfs", "/tmp", "tmpfs", kernel.NO_SUID | kernel.NO_DEVICES, options)
    os.setsid()
    kept = 0
    if config["layer"] == "landlock":
        kernel.landlock(config["rules"], folder, config["access"], config["held"])
        kept = config["kept"]
    if os.geteuid() == 0 and uid:
        kernel.keep_capabilities(kept)
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    if config["layer"] == "bubblewrap":
        # Of its own, and without any mapping: its processes are counted apart, and no id of another can be had in it.
        # Where root's nobody may have none, he is confined by all the rest, and counted with his other processes.
        try:
            kernel.unshare(kernel.NEW_USER)
            config = config | {"others": 0}
        except OSError:
            if not uid:
                raise
    kernel.die_with_parent()
    _limit(config, limits)
    if config["layer"] == "off":
        return
    kernel.drop_capabilities(kept)
    if config["layer"] == "landlock":
        kernel.dumpable()
    kernel.filter_calls(config["filter"])


def ended(config: dict[str, Any], cell: int) -> None:
    """In the zygote, when the cell's first process is dead and its number not yet free: its process group dies too.

    In a pid namespace the kernel has killed them all.
    """
    if config["layer"] != "bubblewrap":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(cell, signal.SIGKILL)


def swept() -> None:
    """In the zygote: whatever of the cell is still there dies. Of namespaces nothing is left."""
    while _reap():
        for pid in _children(os.getpid()):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.001)


def closed(folder: str | None) -> None:
    """In the zygote, at the end of a cell or its own: the scratch goes."""
    if folder is not None:
        scratch.remove(folder)


def _reap() -> bool:
    """Collect what is dead; whether any child is left."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def _children(parent: int) -> list[int]:
    """The processes whose parent this is."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                with open(f"/proc/{name}/stat", "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
                if int(fields[1]) == parent:
                    found.append(int(name))
    return found


def _tasks_of(uid: int) -> int:
    """Processes and threads of a user."""
    total = 0
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):
                if os.stat(f"/proc/{name}").st_uid == uid:
                    total += len(os.listdir(f"/proc/{name}/task"))
    return total


def _limit(config: dict[str, Any], limits: dict[str, Any]) -> None:
    memory, cpu = limits["memory"], max(1, -(-limits["cpu"] // 1))
    for name, value in (
        ("CPU", (int(cpu), int(cpu) + 1)),
        # Private writable pages; address space alone is reserved freely by threads and by other languages.
        ("DATA", memory),
        ("AS", 8 * memory),
        ("FSIZE", limits["file_size"]),
        ("NPROC", config["others"] + limits["processes"]),
        ("NOFILE", DESCRIPTORS),
        ("MEMLOCK", 64 << 10),
        ("MSGQUEUE", 0),
        ("NICE", 0),
        ("RTPRIO", 0),
        ("CORE", 0),
    ):
        number = getattr(resource, f"RLIMIT_{name}")
        most = resource.getrlimit(number)[1]
        soft, hard = value if isinstance(value, tuple) else (value, value)
        if most != resource.RLIM_INFINITY:
            soft, hard = min(soft, most), min(hard, most)
        resource.setrlimit(number, (soft, hard))
