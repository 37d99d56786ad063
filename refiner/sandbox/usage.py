"""What a process tree uses now, read from /proc, where pathlib would be slow."""

# ruff: noqa: PTH116, PTH123, PTH208

import os
import stat
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass

_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes of resident memory, pages shared with others counted once for each process; processor seconds."""

    pids: tuple[int, ...] = ()
    resident: int = 0
    cpu: float = 0.0


def below(root: int, depth: int) -> Usage:
    """All descendants of a process that are more than `depth` generations below it."""
    table: dict[int, tuple[int, float]] = {}
    children: dict[int, list[int]] = defaultdict(list)
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        with suppress(OSError, ValueError, IndexError), open(f"/proc/{name}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
            pid = int(name)
            table[pid] = int(fields[21]) * _PAGE, sum(map(int, fields[11:15])) / _TICKS
            children[int(fields[1])].append(pid)
    found, level = [], [root]
    while level:
        level = [child for pid in level for child in children[pid]]
        if depth > 0:
            depth -= 1
        else:
            found += level
    return Usage(tuple(found), sum(table[pid][0] for pid in found), sum(table[pid][1] for pid in found))


def group(leader: int) -> list[int]:
    """The processes of a process group that are not dead."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            with suppress(OSError, ValueError, IndexError), open(f"/proc/{name}/stat", "rb") as file:
                state, _, member = file.read().rpartition(b")")[2].split()[:3]
                if int(member) == leader and state not in b"ZX":
                    found.append(int(name))
    return found


def proportional(pids: tuple[int, ...]) -> int:
    """Bytes of memory of these processes, shared pages counted once; what cannot be read counts as nothing."""
    total = 0
    for pid in pids:
        with suppress(OSError, ValueError), open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            total += sum(int(line.split()[1]) for line in file if line.startswith((b"Pss:", b"SwapPss:"))) << 10
    return total


def written(folder: str, pids: tuple[int, ...]) -> tuple[int, int]:
    """Bytes on the disk and number of files: of all in a folder, and of files without a name that processes hold open.

    Raises OSError where what lies there cannot be counted.
    """
    files: dict[tuple[int, int], int] = {}
    folders = [folder]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                files[status.st_dev, status.st_ino] = status.st_blocks * 512
                if stat.S_ISDIR(status.st_mode):
                    folders.append(entry.path)
    for pid in pids:
        with suppress(OSError):
            for held in os.listdir(f"/proc/{pid}/fd"):
                with suppress(OSError):
                    status = os.stat(f"/proc/{pid}/fd/{held}")
                    if stat.S_ISREG(status.st_mode) and status.st_nlink == 0:
                        files[status.st_dev, status.st_ino] = status.st_blocks * 512
    return sum(files.values()), len(files)
