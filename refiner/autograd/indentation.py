"""The indentation of program text: where a line stands, and in what measure a text is indented."""

from collections import Counter
from collections.abc import Iterable
from itertools import pairwise


def indent(line: str) -> str:
    """The white space that a line begins with."""
    return line[: len(line) - len(line.lstrip(" \t"))]


def width(white: str) -> int:
    """Columns of an indentation, tabs counted as Python counts them."""
    return len(white.expandtabs(8))


def unit(lines: Iterable[str]) -> str | None:
    """What one more level is written as: a tab or some blanks, whatever is used most; None where there are no levels.

    A text without a second level tells its measure by the first.
    """
    indents = [indent(line) for line in lines if line.strip()]
    steps = Counter(after.removeprefix(before) for before, after in pairwise(indents) if width(after) > width(before))
    if not steps:
        first = min((white for white in indents if white), key=width, default=None)
        return "\t" if first and "\t" in first else first
    step = steps.most_common(1)[0][0]
    return "\t" if "\t" in step else step


def converted(white: str, old: str | None, new: str | None) -> str:
    """An indentation in another unit; what is no multiple of the old one (a continuation line) stays as it is."""
    if not white or old is None or new is None or old == new:
        return white
    levels, rest = divmod(width(white), width(old))
    return white if rest else new * levels
