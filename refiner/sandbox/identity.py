"""Who cells are when refiner is started by root."""

import os
from contextlib import suppress
from pathlib import Path

NOBODY = 65534


def another_user() -> int | None:
    """The user that cells become: nobody, where this process may become him; None for an ordinary user.

    Root in a user namespace that has no nobody is an ordinary user.
    """
    if os.geteuid() != 0:
        return None
    with suppress(OSError, ValueError):
        for line in Path("/proc/self/uid_map").read_text().splitlines():
            first, _, count = map(int, line.split())
            if first <= NOBODY < first + count:
                return NOBODY
    return None


def tasks_of(uid: int) -> int:
    """Processes and threads of a user, which count against his limit wherever they run."""
    total = 0
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if place.stat().st_uid == uid:
                total += sum(1 for _ in (place / "task").iterdir())
    return total
