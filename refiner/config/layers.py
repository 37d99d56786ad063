"""One source of settings each: a file, the environment, `--set`, flags, keywords; and how the values are merged."""

import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from refiner.domain.errors import NotFoundError, UsageError

Key = tuple[str, ...]

_PREFIX = "REFINER_"
_NOT_SETTINGS = {"REFINER_HOME", "REFINER_SOCKET", "REFINER_SHARED"}
_ALIASES = {"REFINER_DB": ("store", "url")}


@dataclass(frozen=True)
class Layer:
    """The settings of one source.

    where says where a key was set, spell how the source writes a key (the same, but for files). strict: "3" is no
    number. Relative folders are relative to folder.
    """

    values: Mapping[str, Any]
    where: Callable[[Key], str]
    spell: Callable[[Key], str]
    strict: bool = False
    folder: Path = Path()


def from_file(path: Path) -> Layer:
    """The settings of a TOML file. Raises UsageError where it cannot be read, with line and column."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        values = tomllib.loads(text)
    except FileNotFoundError:
        raise NotFoundError(f"there is no file {path}") from None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text (byte {error.start})") from error
    except tomllib.TOMLDecodeError as error:
        end = f"at line {text.count(chr(10)) + 1}, the end of the file"
        raise UsageError(f"{path}: {str(error).replace('at end of document', end)}") from error

    def where(key: Key) -> str:
        lines = _lines(text)
        return f"{path}:{next((lines[key[:n]] for n in range(len(key), 0, -1) if key[:n] in lines), 1)}"

    return Layer(values, where, ".".join, strict=True, folder=path.absolute().parent)


def from_environment(environ: Mapping[str, str]) -> Layer:
    """The settings of the REFINER_* variables; REFINER_VOTE__MOST is vote.most, an empty one is unset."""
    names = {
        _ALIASES.get(name) or tuple(name.removeprefix(_PREFIX).lower().split("__")): name
        for name, value in environ.items()
        if name.startswith(_PREFIX) and name not in _NOT_SETTINGS and value
    }

    def where(key: Key) -> str:
        return next((name for path, name in names.items() if path[: len(key)] == key), "the environment")

    return Layer(
        _nested({path: environ[name] for path, name in names.items()}),
        where,
        lambda key: _PREFIX + "__".join(key).upper(),
    )


def from_sets(sets: Sequence[str]) -> Layer:
    """The settings of texts such as "vote.most=5"."""
    pairs = [text.partition("=") for text in sets]
    if not all(key.strip() and equals for key, equals, _ in pairs):
        raise UsageError("--set takes KEY=VALUE, such as --set vote.most=5")

    def where(key: Key) -> str:
        return f"--set {'.'.join(key)}"

    return Layer(_nested({tuple(key.strip().split(".")): value for key, _, value in pairs}), where, where)


def from_flags(flags: Mapping[str, object]) -> Layer:
    """The settings of the command line; None is what it does not say."""

    def where(key: Key) -> str:
        return "--" + key[-1].replace("_", "-")

    return Layer(
        _nested({tuple(key.split(".")): value for key, value in flags.items() if value is not None}), where, where
    )


def from_keywords(keywords: Mapping[str, object]) -> Layer:
    """The settings of a call of the library; None is what it does not say."""
    said = {tuple(key.split(".")): value for key, value in keywords.items() if value is not None}
    return Layer(_nested(said), ".".join, ".".join)


def leaves(values: Mapping[str, Any], above: Key = ()) -> Iterator[tuple[Key, Any]]:
    """Every value below nested tables, with its key; an empty table counts as a value."""
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, (*above, name))
        else:
            yield (*above, name), value


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Two trees of tables in one; where both have a value the one above holds."""
    both = dict(below)
    for name, value in above.items():
        under = both.get(name)
        both[name] = merged(under, value) if isinstance(under, dict) and isinstance(value, dict) else value
    return both


@lru_cache
def _lines(text: str) -> dict[Key, int]:
    """The line of every key. The shortest start of the file that parses and has a key ends with that key's value."""
    lines: dict[Key, int] = {}
    rows = [row + "\n" for row in text.split("\n")]
    begun = 0
    for end in range(1, len(rows) + 1):
        try:
            values = tomllib.loads("".join(rows[:end]))
        except tomllib.TOMLDecodeError:
            continue  # in the middle of a value
        for key in _nodes(values):
            lines.setdefault(key, begun + 1)
        begun = end
    return lines


def _nodes(values: Mapping[str, Any], above: Key = ()) -> Iterator[Key]:
    for name, value in values.items():
        yield (*above, name)
        if isinstance(value, dict):
            yield from _nodes(value, (*above, name))


def _nested(flat: Mapping[Key, object]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for key, value in flat.items():
        tree: Any = value
        for name in reversed(key):
            tree = {name: tree}
        nested = merged(nested, tree)
    return nested
