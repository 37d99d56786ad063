"""Looks everywhere for what is the user's: environment, other processes, home, the sandbox's own files."""

import glob
import json
import os
import sys

told = json.loads(sys.argv[1])
KNOWN = {"PATH", "HOME", "TMPDIR", "LC_ALL", "TZ", "PYTHONHASHSEED", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH"}
KNOWN |= {"LD_LIBRARY_PATH"}
for name in os.environ:
    if name not in KNOWN:
        print("BROKEN environment", name)
for path in (
    told["file"],
    *glob.glob("/proc/[0-9]*/environ"),
    *glob.glob("/proc/[0-9]*/mem"),
    "/etc/shadow",
    "/etc/passwd",
):
    try:
        with open(path, "rb") as file:
            if file.read(1):
                print("BROKEN", path)
    except OSError:
        pass
for folder in ("/root", "/home", "/etc/ssh", "/var", "/proc", "/sys", "/run", os.path.dirname(told["file"])):
    try:
        names = os.listdir(folder)
    except OSError:
        continue
    if names not in ([], ["tmp"]):
        print("BROKEN lists", folder, names[:5])
for descriptor in range(3, 1024):
    try:
        os.fstat(descriptor)
    except OSError:
        continue
    print("BROKEN descriptor", descriptor)
