"""What a program's project shows to a cell: its own modules and data, and neither tests nor what may be secret."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from refiner.domain.code import Suite, is_test
from refiner.domain.errors import UsageError
from refiner.sandbox.inside import confine, scratch
from refiner.sandbox.stale import sweep

MOST_BYTES = 64 << 20
MOST_FILES = 5_000
_LEFT_OUT = frozenset(("__pycache__", "node_modules", "venv", "build", "dist", "tests", "test"))
_SECRET = frozenset((".pem", ".key", ".p12", ".pfx", ".kdbx"))


@dataclass(slots=True)
class Neighbours:
    """Copies of projects, one for each, that cells see instead of the projects themselves; `clear` removes them."""

    _copies: dict[tuple[str, bool], str] = field(default_factory=dict)
    _locks: list[int] = field(default_factory=list)

    def of(self, suite: Suite) -> str | None:
        """The folder that stands for the suite's own, None where it has none.

        Left out are hidden files, keys, other environments and, unless a command may need them, tests: whoever sees
        the tests knows the values that they expect. Raises UsageError for a project that is too large.
        """
        if suite.folder is None:
            return None
        key = suite.folder, suite.command is not None
        if key not in self._copies:
            self._copies[key] = self._copied(Path(suite.folder), tests=key[1])
        return self._copies[key]

    def clear(self) -> None:
        for lock in self._locks:
            os.close(lock)
        for copy in self._copies.values():
            scratch.remove(copy)
        self._copies.clear()
        self._locks.clear()

    def _copied(self, project: Path, *, tests: bool) -> str:
        base = tempfile.gettempdir()
        sweep(base)
        copy = tempfile.mkdtemp(prefix=confine.PREFIX, dir=base)
        lock = os.open(copy, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # as long as it is held, no other process sweeps it away
        self._locks.append(lock)
        size = 0
        for number, path in enumerate(_shown(project, tests=tests)):
            size += path.stat().st_size
            if size > MOST_BYTES or number >= MOST_FILES:
                raise UsageError(
                    f"{project} holds more than {MOST_BYTES >> 20} MiB or {MOST_FILES:,} files beside tests"
                )
            target = Path(copy, path.relative_to(project))
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        if os.geteuid() == 0:  # the cell's user is another one then
            Path(copy).chmod(0o755)
        return copy


def _shown(folder: Path, *, tests: bool) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.is_symlink() or path.suffix in _SECRET:
            continue
        if path.is_dir():
            if (path / "pyvenv.cfg").exists() or (path.name in _LEFT_OUT and not (tests and "test" in path.name)):
                continue
            yield from _shown(path, tests=tests)
        elif path.is_file() and (tests or not is_test(path.name)):
            yield path
