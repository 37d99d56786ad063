"""Scratch folders whose worker died without clearing up."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from refiner.sandbox.inside import confine, scratch


def sweep(base: str) -> None:
    """Remove what dead workers of this user left in a folder."""
    for folder in Path(base).glob(f"{confine.PREFIX}*"):
        with suppress(OSError):
            if folder.is_symlink() or folder.lstat().st_uid != os.geteuid():
                continue
            fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                scratch.remove(str(folder))
            finally:
                os.close(fd)
