"""What is not a write, but changes a file: modes, times, owners, size, names, links, attributes."""

import ctypes
import json
import os
import sys
from collections.abc import Callable

told = json.loads(sys.argv[1])
path, folder = told["file"], os.path.dirname(told["file"])
libc = ctypes.CDLL(None, use_errno=True)


def truncated() -> None:
    os.close(os.open(path, os.O_RDONLY | os.O_TRUNC))


# The host compares the file afterwards: a call that only says that it was made has changed nothing.
ATTEMPTS: tuple[Callable[[], object], ...] = (
    lambda: os.chmod(path, 0o777),
    lambda: os.utime(path, (0, 0)),
    lambda: os.chown(path, os.getuid(), os.getgid()),
    lambda: os.truncate(path, 0),
    truncated,
    lambda: os.rename(path, path + "2"),
    lambda: os.link(path, "linked"),
    lambda: os.link(path, path + "3"),
    lambda: os.symlink("/", path + "4"),
    lambda: os.unlink(path),
    lambda: os.mkdir(folder + "/made"),
    lambda: os.setxattr(path, "user.x", b"x"),
    lambda: os.mkfifo(folder + "/pipe"),
)
for attempt in ATTEMPTS:
    try:
        attempt()
    except OSError:
        pass
folders = [os.path.dirname(os.__file__), sys.prefix, "/usr/lib", "/refiner", *filter(None, sys.path[1:])]
for place in {*folders, *os.environ.get("PYTHONPATH", "").split(":")}:
    for flags in (os.O_WRONLY | os.O_CREAT, os.O_RDWR | os.O_TMPFILE):
        try:
            os.close(os.open(f"{place}/{told['name']}" if flags & os.O_CREAT else place, flags))
            print("BROKEN", place)
        except OSError:
            pass
