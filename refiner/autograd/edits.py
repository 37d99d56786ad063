"""Updates by edit: search-and-replace blocks or a unified diff, verified to apply once and to parse."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

from refiner.autograd.fitting import Page
from refiner.verify.syntax import parse, parsed

_SEARCH = re.compile(r"[ \t]*<{5,9}[ \t]*(?:(?:SEARCH|ORIGINAL|OLD|HEAD)\b.*)?", re.IGNORECASE)
_DIVIDER = re.compile(r"[ \t]*={5,9}[ \t]*")
_REPLACE = re.compile(r"[ \t]*>{5,9}[ \t]*(?:(?:REPLACE|UPDATED|NEW)\b.*)?", re.IGNORECASE)
_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+\d+(?:,\d+)? @@.*|@@.*@@.*|@@")
_FENCE = re.compile(r"[ \t]*(?:`{3,}|~{3,})[ \t]*\w*[ \t]*")
_SHOWN = 8
"""Lines of the text that a problem quotes at the most."""

Kind = Literal["none", "cut", "empty", "missing", "ambiguous", "overlap", "unchanged", "syntax"]


@dataclass(frozen=True, slots=True)
class Edited:
    """A text with all its edits made, and how many they were."""

    text: str
    edits: int


@dataclass(frozen=True, slots=True)
class EditProblem:
    """Why no edit was made; message tells the model for one more try: which block, and the nearest lines."""

    kind: Kind
    message: str


class _Edit(NamedTuple):
    """Lines to find and what takes their place; readings are the ways to divide a block, mostly one. line: where a
    diff says that they stand, from 0."""

    readings: tuple[tuple[Sequence[str], Sequence[str]], ...]
    line: int | None = None


class _Placed(NamedTuple):
    start: int
    end: int
    lines: list[str]


def apply_edits(text: str, reply: str) -> Edited | EditProblem:
    """The text with the edits of a reply, all of them or none.

    Each must be found exactly once in the text as it was: to the letter, or else but for white space (trailing, blank
    lines, indentation of another depth or kind, to which the replacement is then fitted). Lines that a block only
    repeats stay as they are in the text. What parsed as Python before must still parse. Lines end in LF alone.
    """
    page = Page(text.split("\n"))
    try:
        placed = sorted(
            _place(page, edit, f"block {number}")
            for number, edit in enumerate(dict.fromkeys(_read(reply.replace("\r\n", "\n"))), 1)
        )
    except _Refused as refused:
        return refused.problem
    for before, after in pairwise(placed):
        if after.start < before.end:
            return EditProblem("overlap", f"two blocks change line {after.start + 1}; make one block of them")
    lines = list(page.lines)
    for start, end, new in reversed(placed):
        lines[start:end] = new
    new_text = "\n".join(lines)
    if new_text == text:
        return EditProblem("unchanged", "the blocks replace lines by the same lines")
    if parsed(text) is not None:
        try:
            parse(new_text)
        except SyntaxError as error:
            at = (error.lineno or 1) - 1
            shown = _quoted(lines[max(at - _SHOWN // 2, 0) :])
            return EditProblem("syntax", f"with these edits line {at + 1} is no Python ({error.msg}):\n{shown}")
    return Edited(new_text, len(placed))


class _Refused(Exception):  # noqa: N818 - a way out, not an error that anyone sees
    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.problem = EditProblem(kind, message)


def _read(reply: str) -> Iterator[_Edit]:
    """The edits of a reply, at least one."""
    lines = reply.split("\n")
    edits = [*_blocks(lines)] or [*_hunks(lines)]
    if not edits:
        raise _Refused("none", "the reply has no block that begins with <<<<<<< SEARCH")
    yield from edits


def _blocks(lines: Sequence[str]) -> Iterator[_Edit]:
    at = 0
    while at < len(lines):
        if not _SEARCH.fullmatch(lines[at]):
            at += 1
            continue
        end = next((i for i in range(at + 1, len(lines)) if _REPLACE.fullmatch(lines[i])), len(lines))
        body = lines[at + 1 : end]
        dividers = [i for i, line in enumerate(body) if _DIVIDER.fullmatch(line)]
        if end == len(lines) or not dividers or any(map(_SEARCH.fullmatch, body)):
            raise _Refused("cut", "a block does not have its ======= and its >>>>>>> REPLACE")
        yield _Edit(tuple((tuple(_bare(body[:i])), tuple(_bare(body[i + 1 :]))) for i in dividers))
        at = end + 1


def _bare(lines: Sequence[str]) -> Sequence[str]:
    """A part of a block without the fence that some models put around it."""
    fenced = len(lines) > 1 and _FENCE.fullmatch(lines[0]) and _FENCE.fullmatch(lines[-1])
    return lines[1:-1] if fenced else lines


def _hunks(lines: Sequence[str]) -> Iterator[_Edit]:
    at = 0
    while at < len(lines):
        head = _HUNK.fullmatch(lines[at])
        at += 1
        if head is None:
            continue
        start = at
        while at < len(lines) and _in_hunk(lines, at):
            at += 1
        body = lines[start:at]
        while body and not body[-1]:
            body = body[:-1]
        old = tuple(line[1:] for line in body if line[:1] in ("", " ", "-"))
        new = tuple(line[1:] for line in body if line[:1] in ("", " ", "+"))
        if old != new:
            yield _Edit(((old, new),), int(head[1]) - 1 if head[1] else None)


def _in_hunk(lines: Sequence[str], at: int) -> bool:
    another = lines[at].startswith("--- ") and lines[at + 1 : at + 2] and lines[at + 1].startswith("+++ ")
    return lines[at][:1] in ("", " ", "+", "-", "\\") and not another


def _place(page: Page, edit: _Edit, name: str) -> _Placed:
    """Where an edit belongs. Raises _Refused when that is nowhere or not clear."""
    # A divider may also be a line of the text, such as a heading's underline: the longest part that is there was meant.
    for old, new in reversed(edit.readings):
        if not _says(old):
            if not _says(page.lines):
                return _Placed(0, len(page.lines), [*new, ""])
            continue
        for found in (page.exactly(old), page.alike(old)):
            meant = [span for span in found if span[0] == edit.line] if len(found) > 1 else found
            if len(meant) == 1:
                return _Placed(*meant[0], page.replaced(meant[0], old, new))
            if found:
                places = ", ".join(str(start + 1) for start, _ in found[:_SHOWN])
                raise _Refused(
                    "ambiguous",
                    f"the lines of {name} occur {len(found)} times, at the lines {places}; add neighbours that occur "
                    f"only at the one that is meant:\n{_quoted(old)}",
                )
    old = edit.readings[0][0]
    if not _says(old):
        raise _Refused("empty", f"{name} has nothing to search for; copy the lines that it changes or stands beside")
    near = page.nearest(old)
    raise _Refused(
        "missing",
        f"the lines of {name} are not in the text:\n{_quoted(old)}\nThe nearest lines there are:\n"
        f"{_quoted(page.lines[near : near + len(old)])}",
    )


def _says(lines: Sequence[str]) -> bool:
    return any(line.strip() for line in lines)


def _quoted(lines: Sequence[str]) -> str:
    return "\n".join(lines[:_SHOWN])
