"""How a local model is run."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """How a local model is run.

    threads: compute threads, by default and at most one a core that this process may use. context: tokens that prompt
    and reply of one call fill together; parallel: calls answered side by side. keep_alive: seconds that the model
    stays loaded after its last user left. speculation: guess ahead where a reply repeats its prompt.
    """

    threads: int | None = None
    context: int = 8192
    parallel: int = 4
    keep_alive: float = 10.0
    speculation: bool = True


def cores(membership: Path = Path("/proc/self/cgroup"), groups: Path = Path("/sys/fs/cgroup")) -> int:
    """Whole cores that this process may use at a time: by its affinity and by the quota of its control groups."""
    affine = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([affine, *_quotas(membership, groups)]))


def _quotas(membership: Path, groups: Path) -> Iterator[int]:
    """The quotas of the process's group and of those above it (version 2), rounded down: more threads would wait."""
    try:
        lines = membership.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    own = next((line.removeprefix("0::/") for line in lines if line.startswith("0::/")), "")
    for group in (groups / own, *(groups / own).parents):
        with suppress(OSError, ValueError):
            quota, period = (group / "cpu.max").read_text(encoding="ascii").split()
            if quota != "max":
                yield int(quota) // int(period)
