"""Signals to whatever there is: refiner, the zygote, every process of the user, by every call that sends one."""

import ctypes
import fcntl
import json
import os
import signal
import sys

told = json.loads(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
for name, attempt in (
    ("kill", lambda: os.kill(told["pid"], 0)),
    ("killpg", lambda: os.killpg(told["pid"], 0)),
    ("tgkill", lambda: 1 / (libc.tgkill(told["pid"], told["pid"], 0) == 0)),
    ("F_SETOWN", lambda: fcntl.fcntl(0, fcntl.F_SETOWN, told["pid"])),
    ("F_SETSIG", lambda: fcntl.fcntl(0, 10, signal.SIGKILL)),
    ("prlimit", lambda: 1 / (libc.prlimit(told["pid"], 7, None, ctypes.create_string_buffer(16)) == 0)),
    ("affinity", lambda: os.sched_setaffinity(told["pid"], {0})),
    ("priority", lambda: os.setpriority(os.PRIO_PROCESS, told["pid"], 19)),
):
    try:
        attempt()
        print("BROKEN", name)
    except (OSError, ZeroDivisionError):
        pass
sys.stdout.flush()
# Whoever is hit by these besides this program and its parents in the cell is missed by the host.
libc.kill(-1, signal.SIGKILL)
libc.kill(os.getppid(), signal.SIGKILL)
