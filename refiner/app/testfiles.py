"""The files of tests on the disk, and what they use of their own folder."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from refiner.domain.code import is_test
from refiner.domain.errors import NotFoundError, UsageError
from refiner.verify.syntax import parsed
from refiner.verify.wanted import possible_modules

MOST_BYTES = 8_000_000
MOST_FILES = 1_000
_LONGEST = 60
"""Characters of a name: longer texts are none, and some are longer than a file system takes."""
_OTHERS = frozenset(("__pycache__", "node_modules", "venv", "build", "dist"))


@dataclass(frozen=True, slots=True)
class TestFiles:
    """Tests as texts, by their path below `base`.

    named: what the user named. tests: the paths of those that hold tests; the others are fixtures, helpers and data.
    """

    __test__ = False

    named: Path
    base: Path
    texts: Mapping[str, str]
    tests: tuple[str, ...]

    @classmethod
    def read(cls, named: Path, program: Path | None = None) -> "TestFiles":
        """Read a test file with its fixtures and helpers, or all text of a folder; the program itself is left out.

        Paths begin above the packages that the tests are in, so that they find one another by the names they use.
        Raises NotFoundError, and UsageError for a test that is no UTF-8 text and for more than can be handed over.
        """
        if not named.exists():
            raise NotFoundError(f'there is no file "{named}": give --tests a file or a folder of tests')
        own, place = program.resolve() if program else None, named.resolve()
        try:
            base = root_of(place if place.is_dir() else place.parent)
            paths = [path for path in (_below(place) if place.is_dir() else _used_by(place)) if path.resolve() != own]
            texts = _texts(named, base, paths, place)
        except OSError as error:
            raise UsageError(f"{error.filename or named} cannot be read: {error.strerror}") from error
        if place.is_dir():
            python = [path for path in texts if path.endswith(".py")]
            called = [path for path in python if is_test(path) and not path.endswith("conftest.py")]
            tests = called or python
        else:
            tests = [place.relative_to(base).as_posix()]
        return cls(named, base, texts, tuple(tests))


def root_of(folder: Path) -> Path:
    """The folder that a package is imported from; a folder that is none, itself."""
    while (folder / "__init__.py").is_file() and folder != folder.parent:
        folder = folder.parent
    return folder


def _texts(named: Path, base: Path, paths: list[Path], place: Path) -> dict[str, str]:
    texts: dict[str, str] = {}
    size = 0
    for path in paths:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            if path == place or is_test(path.name):
                raise UsageError(f"{path} is not UTF-8 (byte {error.start}): convert it first") from error
            continue
        if "\0" in text and not is_test(path.name):
            continue
        size += len(data)
        if size > MOST_BYTES or len(texts) == MOST_FILES:
            raise UsageError(
                f"{named} holds more than {MOST_BYTES:,} bytes or {MOST_FILES:,} files: name the tests alone"
            )
        texts[path.relative_to(base).as_posix()] = text.replace("\r\n", "\n")
    return texts


def _below(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name in _OTHERS:
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _below(path)
        elif path.is_file():
            yield path


def _used_by(test: Path) -> Iterator[Path]:
    """A test file, the fixtures beside it, and what they import or name of the files of its folder."""
    todo = [test, *(path for name in ("conftest.py", "__init__.py") if (path := test.with_name(name)).is_file())]
    seen = set(todo)
    while todo:
        path = todo.pop()
        yield path
        code = path == test or path.suffix == ".py"
        tree = parsed(path.read_bytes().decode("utf-8", "replace")) if code else None
        if tree is None:
            continue
        modules = (f"{name.rpartition('.')[2]}.py" for name in possible_modules(tree, relative=True))
        for other in [*map(test.with_name, modules), *_data(tree, test.parent)]:
            if other not in seen and other.is_file():
                seen.add(other)
                todo.append(other)


def _data(tree: ast.Module, folder: Path) -> Iterator[Path]:
    """Files below the folder whose names are in the text, as "rows.txt", or "data" and "rows.txt"."""
    said = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    names = sorted(name for name in said if len(name) <= _LONGEST and name.strip("./") and ".." not in name)
    for place in (folder, *(folder / name for name in names if (folder / name).is_dir())):
        for path in (place / name for name in names if (place / name).is_file()):
            shown = path.is_relative_to(folder) and path.relative_to(folder).parts
            if shown and not any(part.startswith(".") for part in shown):
                yield path
