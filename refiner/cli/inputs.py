"""What is to be solved: a prompt, a file, a pipe, or a prompt about a pipe."""

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

from refiner.app.disk import MOST_BYTES, contents
from refiner.domain.errors import NotFoundError, UsageError


def read_input(word: str | None, note: Callable[[str], None]) -> str:
    """The text that a command line sets: a file's, standard input's (`-` or a pipe), or the word itself.

    With both a prompt and a pipe, the prompt is the instruction and the pipe the material. note tells the user what is
    waited for. Raises UsageError for what is empty, too large, binary or not UTF-8, and NotFoundError for a path that
    leads nowhere.
    """
    if word is None or word == "-":
        if _terminal():
            note("waiting for the question on standard input; end it with Ctrl-D")
        return _text(_standard_input(), "standard input")
    path = Path(word)
    if word.strip() and _is_file(path):
        return _text(contents(path), word)
    if _looks_like_path(word):
        raise NotFoundError(f'there is no file "{word}": give a file that exists, or a question in quotes')
    prompt = _text(word.encode("utf-8", "surrogateescape"), "the question")
    material = _text(_standard_input(), "standard input", empty=True) if _piped() else ""
    return f"{prompt}\n\n{material}" if material.strip() else prompt


def read_pipe(word: str | None, note: Callable[[str], None]) -> bytes | None:
    """The bytes of standard input where they are the input, or the material of a prompt; None where nothing is piped.

    Raises UsageError for what is empty, too large or binary.
    """
    if word not in (None, "-") and not _piped():
        return None
    if word in (None, "-") and _terminal():
        note("waiting for the program or its description on standard input; end it with Ctrl-D")
    data = _standard_input()
    if not data.strip() and word not in (None, "-"):
        return None
    _text(data, "standard input")
    return data


def _terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _piped() -> bool:
    try:
        mode = os.fstat(0).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode)


def _standard_input() -> bytes:
    if sys.stdin is None:
        raise UsageError("standard input is closed: give a question or a file")
    return sys.stdin.buffer.read(MOST_BYTES + 1)


def _is_file(path: Path) -> bool:
    try:
        if path.is_dir():
            raise UsageError(f"{path} is a folder: give a file or a question")
        return path.exists()
    except (OSError, ValueError):
        return False


def _looks_like_path(word: str) -> bool:
    return not any(mark in word for mark in " \n\t?") and ("/" in word or Path(word).suffix[1:].isalpha())


def _text(data: bytes, name: str, *, empty: bool = False) -> str:
    if len(data) > MOST_BYTES:
        raise UsageError(f"{name} is larger than {MOST_BYTES:,} bytes, and no model reads that much: shorten it")
    if b"\0" in data:
        raise UsageError(f"{name} is binary, not text")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{name} is not UTF-8 (byte {error.start}): convert it first, for example with iconv -t UTF-8"
        ) from error
    if not text.strip() and not empty:
        raise UsageError(f"{name} is empty: give a question, a file, or - and a pipe")
    return text
