"""The lines of a text file, read as they come, so that a file of any size can be."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from refiner.domain.errors import NotFoundError, UsageError

LONGEST = 50_000_000
"""Bytes of a line beyond which a file is none of lines."""


def numbered(path: Path) -> Iterator[tuple[int, str]]:
    """The number and text of each line, its end included; `.gz` is unpacked.

    Raises NotFoundError, and UsageError naming the line that is not UTF-8, or too long.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            number = 0
            while line := file.readline(LONGEST + 1):
                number += 1
                if len(line) > LONGEST:
                    raise UsageError(f"{path}:{number}: the line is longer than {LONGEST:,} bytes")
                yield number, _decoded(line, f"{path}:{number}", first=number == 1)
    except FileNotFoundError:
        raise NotFoundError(f"there is no file {path}") from None
    except (OSError, EOFError) as error:
        raise UsageError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error


def objects(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The number and object of each line of JSON that is not empty. Raises as `numbered` does."""
    for number, line in numbered(path):
        if line.strip():
            yield number, parsed(line, f"{path}:{number}")


def parsed(text: str, where: str) -> dict[str, Any]:
    """The JSON object of a text. Raises UsageError, beginning with where it stands."""
    try:
        row = from_json(text)
    except ValueError as error:
        raise UsageError(f"{where}: not JSON: {error}") from None
    if not isinstance(row, dict):
        raise UsageError(f"{where}: not a JSON object but {type(row).__name__}")
    return row


def _decoded(line: bytes, where: str, *, first: bool) -> str:
    try:
        return line.decode("utf-8-sig" if first else "utf-8")
    except UnicodeDecodeError as error:
        hint = "convert the file first, for example with iconv -t UTF-8"
        raise UsageError(f"{where}: byte {error.start} of the line is not UTF-8: {hint}") from None
