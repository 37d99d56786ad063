"""The lines of a text file, read as they come, so that a file of any size can be."""

import gzip
from collections.abc import Iterator
from pathlib import Path

from refiner.domain.errors import NotFoundError, UsageError

LONGEST = 50_000_000
"""Bytes of a line beyond which a file is none of lines."""


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """The number and text of each line that is not empty; `.gz` is unpacked.

    Raises NotFoundError, and UsageError naming the line that is not UTF-8, or too long.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            number = 0
            while line := file.readline(LONGEST + 1):
                number += 1
                if len(line) > LONGEST:
                    raise UsageError(f"{path}:{number}: the line is longer than {LONGEST:,} bytes")
                if text := _decoded(line, path, number).strip():
                    yield number, text
    except FileNotFoundError:
        raise NotFoundError(f"there is no file {path}") from None
    except (OSError, EOFError) as error:
        raise UsageError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _decoded(line: bytes, path: Path, number: int) -> str:
    try:
        return line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        hint = "convert the file first, for example with iconv -t UTF-8"
        raise UsageError(f"{path}:{number}: byte {error.start} of the line is not UTF-8: {hint}") from None
