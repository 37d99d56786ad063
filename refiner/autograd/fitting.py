"""Fitting an edit to a text that has other white space: where its lines are, and how the new ones are to be written."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property

from refiner.autograd.indentation import converted, indent, unit, width

Span = tuple[int, int]


@dataclass(frozen=True)
class Page:
    """A text as lines without their ends."""

    lines: Sequence[str]

    @cached_property
    def unit(self) -> str | None:
        return unit(self.lines)

    @cached_property
    def _full(self) -> list[int]:
        return [at for at, line in enumerate(self.lines) if line.strip()]

    @cached_property
    def _keys(self) -> list[str]:
        return [_key(self.lines[at]) for at in self._full]

    def exactly(self, old: Sequence[str]) -> list[Span]:
        """Where the lines are, to the letter."""
        size, wanted = len(old), list(old)
        starts = (at for at, line in enumerate(self.lines) if line == wanted[0])
        return [(at, at + size) for at in starts if list(self.lines[at : at + size]) == wanted]

    def alike(self, old: Sequence[str]) -> list[Span]:
        """Where they are but for white space: blank lines aside, and indented alike in whatever measure."""
        full, keys = self._full, self._keys
        wanted = [line for line in old if line.strip()]
        goal, size = [_key(line) for line in wanted], len(wanted)
        found = []
        for at in range(len(full) - size + 1):
            if keys[at] == goal[0] and keys[at : at + size] == goal:
                window = [self.lines[i] for i in full[at : at + size]]
                if _depths(wanted, window) is not None:
                    found.append((full[at], full[at + size - 1] + 1))
        return found

    def nearest(self, old: Sequence[str]) -> int:
        """Where the stretch begins that is most like the lines."""
        from rapidfuzz import fuzz, process

        keys, size = [_key(line) for line in self.lines], len(old)
        windows = ["\n".join(keys[at : at + size]) for at in range(max(len(keys) - size + 1, 1))]
        best = process.extractOne("\n".join(map(_key, old)), windows, scorer=fuzz.ratio)
        return best[2] if best else 0

    def replaced(self, span: Span, old: Sequence[str], new: Sequence[str]) -> list[str]:
        """What takes the place of a span that was found for the old lines.

        Lines that old and new share are the text's own, and its blank lines stay beside them; a new line is indented
        in the measure of the text.
        """
        window = self.lines[slice(*span)]
        own = unit([*old, *new])
        if list(window) == list(old) and (own is None or self.unit is None or ("\t" in own) == ("\t" in self.unit)):
            return list(new)
        was, held, now = _spaced(old), _spaced(window), _spaced(new)
        known = _depths([line for line, _ in was], [line for line, _ in held]) or {}
        keys = [line.rstrip() for line, _ in was], [line.rstrip() for line, _ in now]
        made: list[str] = []
        for tag, start, end, first, last in SequenceMatcher(None, *keys, autojunk=False).get_opcodes():
            for at in range(first, last):
                line, blank = now[at]
                paired = start + at - first if tag == "equal" else start if at == first and start < end else None
                if paired is not None:  # as many blank lines more or fewer as the block asks for
                    theirs = held[paired][1]
                    more = len(blank) - len(was[paired][1])
                    blank = [*theirs, *[""] * more] if more >= 0 else theirs[: max(len(theirs) + more, 0)]
                made += blank
                made.append(held[start + at - first][0] if tag == "equal" else _fitted(line, known, own, self.unit))
        return made + [""] * (_trailing(new) - _trailing(old) + _trailing(window))


def _key(line: str) -> str:
    return " ".join(line.split())


def _spaced(lines: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Each line that says something, with the blank lines above it."""
    found, blank = [], list[str]()
    for line in lines:
        if line.strip():
            found.append((line, blank))
            blank = []
        else:
            blank.append(line)
    return found


def _trailing(lines: Sequence[str]) -> int:
    return next((at for at, line in enumerate(reversed(lines)) if line.strip()), 0)


def _depths(old: Sequence[str], window: Sequence[str]) -> dict[str, str] | None:
    """Which indentation of the text stands for each one of a block; None where they tell of different structures."""
    known: dict[str, str] = {}
    for line, other in zip(old, window, strict=True):
        if known.setdefault(indent(line), indent(other)) != indent(other):
            return None
    widths = [width(known[white]) for white in sorted(known, key=width)]
    return known if widths == sorted(set(widths)) else None


def _fitted(line: str, known: dict[str, str], old: str | None, new: str | None) -> str:
    """A new line at the depth that it has beside the old ones, in the measure of the text."""
    white, rest = indent(line), line.lstrip(" \t")
    if white in known:
        return known[white] + rest
    base = max((other for other in known if width(other) < width(white)), key=width, default=None)
    if base is not None:
        deeper = white[len(base) :] if white.startswith(base) else " " * (width(white) - width(base))
        return known[base] + converted(deeper, old, new) + rest
    least = min(known, key=width, default="")
    shallower = max(width(known.get(least, "")) - width(converted(" " * (width(least) - width(white)), old, new)), 0)
    return ("\t" * (shallower // 8) if "\t" in known.get(least, "") else " " * shallower) + rest
