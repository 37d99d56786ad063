"""The one module that writes to standard output: texts made harmless, bytes, JSON and tables."""

import contextlib
import errno
import json
import os
import sys
from collections.abc import Iterator, Sequence
from typing import TextIO

from refiner.domain.errors import RefinerError
from refiner.domain.events import Recorded
from refiner.domain.harmless import clean as clean
from refiner.domain.harmless import line as line

PIPE_CLOSED = 141
"""The exit code when the reader of the output went away, as a shell reports SIGPIPE."""


def text(value: str) -> None:
    """Write a text for people, and a newline unless it has one."""
    harmless = clean(value)
    _write(harmless if harmless.endswith("\n") else harmless + "\n")


def raw(value: bytes) -> None:
    """Write bytes as they are."""
    if sys.stdout is not None:
        with _failures():
            sys.stdout.buffer.write(value)
            sys.stdout.buffer.flush()


def code(value: bytes) -> None:
    """Write a program as the bytes that it has; on a terminal, what could act on it is left out."""
    if sys.stdout is not None and sys.stdout.isatty():
        return text(value.decode("utf-8", "replace"))
    return raw(value)


def json_line(value: object) -> None:
    """Write an object as one line of JSON, all of it ASCII: what a terminal could act on is escaped, not lost."""
    _write(json.dumps(value, default=str) + "\n")


def event(recorded: Recorded) -> None:
    """Write a committed event as a line of `--jsonl`."""
    json_line(recorded.to_json())


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Write rows in columns below their names; no rows, no names."""
    if not rows:
        return
    cells = [list(head), *([line(str(cell)) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    for row in cells:
        text("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def colored(choice: str | None, stream: TextIO) -> bool:
    """Whether colours go to a stream: --color decides, otherwise a terminal without NO_COLOR and TERM=dumb."""
    if choice in ("always", "never"):
        return choice == "always"
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _write(value: str) -> None:
    if sys.stdout is None:
        return
    encoding = sys.stdout.encoding or "utf-8"
    with _failures():
        sys.stdout.write(value.encode(encoding, "backslashreplace").decode(encoding))
        sys.stdout.flush()


@contextlib.contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        _discard_rest()
        if error.errno == errno.EPIPE:
            raise SystemExit(PIPE_CLOSED) from None
        raise RefinerError(f"cannot write to standard output: {error.strerror}") from error


def _discard_rest() -> None:
    """Let what is still to be written, such as the error itself as JSON, go nowhere instead of failing again."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
