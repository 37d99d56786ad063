"""What a whole rewrite lost without need, taken back from the old program: comments, docstrings, layout."""

import ast
import io
import re
import token
import tokenize
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import takewhile

from refiner.autograd.alignment import shared
from refiner.autograd.indentation import indent, unit
from refiner.verify.syntax import parsed, reads_docstrings, same_tree

_SILENT = frozenset((token.NEWLINE, token.INDENT, token.DEDENT, token.ENDMARKER, tokenize.COMMENT, tokenize.NL))
_OF_FILE = re.compile(r"^#!|coding[:=]|copyright|licen[cs]e|spdx|\bMIT\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Line:
    """A logical line of a program.

    above: the comments and blank lines before it. text: its physical lines, `fixed` those that begin within a string.
    key: what it says, layout and comments apart. scope: the class or function that it is the head or the
    documentation of. kept: these are the old program's own words.
    """

    above: tuple[str, ...]
    text: tuple[str, ...]
    key: tuple[str, ...]
    depth: int
    fixed: frozenset[int] = frozenset()
    scope: tuple[str, ...] | None = None
    documentation: bool = False
    kept: bool = False

    @property
    def commented(self) -> bool:
        return any(line.strip() for line in self.above)

    @property
    def opens(self) -> bool:
        return self.key[-1:] == (":",)


def merged(old: str, new: str) -> str:
    """The new program as the old one was written: text of the old one wherever the code is the same.

    Comments, docstrings, blank lines, quotes and wrapping of unchanged statements, the licence header, the measure of
    indentation and the end of the file are the old one's. The result always means what the new program does, docstrings
    aside; where that cannot be had, only header and indentation are restored, or else nothing. Never raises.
    """
    tree = parsed(new)
    if old == new or tree is None:
        return new
    silent = not reads_docstrings(tree)
    theirs, tail = _logical(new, docstrings=silent)
    ours, end = _logical(old, docstrings=silent)
    head, ours = _head(ours)
    for attempt in (_aligned(ours, theirs), [*theirs]):
        lines = _headed(_documented(attempt, ours), head)
        text = _written(lines, end or tail, unit(old.split("\n")) or unit(new.split("\n")))
        text = text.rstrip("\n") + old[len(old.rstrip("\n")) :]
        again = parsed(text)
        if again is not None and same_tree(tree, again, docstrings=not silent):
            return text
    return new


def _logical(text: str, *, docstrings: bool) -> tuple[list[_Line], tuple[str, ...]]:
    """The logical lines of a program, and what comes after the last; a broken program's as far as they can be told."""
    physical = text.split("\n")
    found: list[_Line] = []
    scopes: list[tuple[int, str]] = []
    depth, end, said = 0, 0, list[tokenize.TokenInfo]()
    for item in _tokens(text):
        depth += {token.INDENT: 1, token.DEDENT: -1}.get(item.type, 0)
        if item.type not in _SILENT:
            said.append(item)
        if item.type != token.NEWLINE or not said:
            continue
        start, last = said[0].start[0] - 1, item.end[0]
        scopes = [scope for scope in scopes if scope[0] < depth]
        name = _scope(said)
        documentation = docstrings and {t.type for t in said} == {token.STRING} and _opened(found, depth)
        if name:
            scopes.append((depth, name))
        path = tuple(part for _, part in scopes)
        found.append(
            _Line(
                above=tuple(physical[end:start]),
                text=tuple(physical[start:last]),
                key=("documentation", *path) if documentation else tuple(_key(said)),
                depth=depth,
                fixed=frozenset(row for t in said for row in range(t.start[0] - start, t.end[0] - start)),
                scope=path if name or documentation else None,
                documentation=documentation,
            )
        )
        end, said = last, []
    return found, tuple(line for line in physical[end:] if not line.strip() or line.lstrip().startswith("#"))


def _tokens(text: str) -> Iterator[tokenize.TokenInfo]:
    with suppress(tokenize.TokenError, SyntaxError):
        yield from tokenize.generate_tokens(io.StringIO(text).readline)


def _opened(found: Sequence[_Line], depth: int) -> bool:
    """Whether the next line at a depth is the first of a module, class or function."""
    if not found:
        return True
    head = found[-1]
    return head.depth == depth - 1 and head.scope is not None and not head.documentation


def _scope(said: Sequence[tokenize.TokenInfo]) -> str | None:
    words = [item.string for item in said[:3]]
    if words[:1] == ["async"]:
        words = words[1:]
    return words[1] if words[:1] in (["def"], ["class"]) and len(words) > 1 else None


def _key(said: Sequence[tokenize.TokenInfo]) -> Iterator[str]:
    """The tokens of a line; quotes, commas before a bracket that closes, and a last semicolon make no difference."""
    commas = [0]
    for at, item in enumerate(said):
        text, after = item.string, said[at + 1].string if at + 1 < len(said) else ""
        if text in ("(", "[", "{"):
            commas.append(0)
        elif text in (")", "]", "}") and len(commas) > 1:
            commas.pop()
        elif text == ",":
            commas[-1] += 1
            if after in (")", "]", "}") and commas[-1] > 1:
                continue
        elif text == ";" and not after:
            continue
        yield _string(text) if item.type == token.STRING else text


def _string(text: str) -> str:
    tree = parsed(text)
    constant = tree.body[0].value if tree and isinstance(tree.body[0], ast.Expr) else None
    return repr(constant.value) if isinstance(constant, ast.Constant) else text


def _aligned(ours: Sequence[_Line], theirs: Sequence[_Line]) -> list[_Line]:
    """The new lines, those that the old program has as well in its own words."""
    keys = [(line.depth, *line.key) for line in ours], [(line.depth, *line.key) for line in theirs]
    made: list[_Line] = []
    start = first = 0
    for match in shared(*keys):
        # A changed line keeps the comment above it, unless it got a new one.
        old, new = [line for line in ours[start : match.a] if not line.documentation], theirs[first : match.b]
        for at, line in enumerate(new):
            pair = old[at] if at < len(old) and (at == 0 or len(old) == len(new)) else None
            made.append(replace(line, above=pair.above) if pair and not line.commented else line)
        start, first = match.a + match.size, match.b + match.size
        kept = [replace(line, kept=True) for line in ours[match.a : start]]
        if kept and new and not _blank(kept[0].above):
            kept[0] = replace(kept[0], above=(*_blank(theirs[match.b].above), *kept[0].above))
        made += kept
    return made


def _blank(above: tuple[str, ...]) -> tuple[str, ...]:
    """The blank lines that come first."""
    return tuple(takewhile(lambda line: not line.strip(), above))


def _documented(lines: Sequence[_Line], ours: Sequence[_Line]) -> list[_Line]:
    """The lines with the docstrings that the new program left out."""
    lost = {line.scope: line for line in ours if line.documentation}
    for line in lines:
        if line.documentation:
            lost.pop(line.scope, None)
    made: list[_Line] = []
    if () in lost:
        made.append(replace(lost.pop(()), kept=True))
    for line in lines:
        made.append(line)
        if line.scope in lost and line.opens:
            made.append(replace(lost.pop(line.scope), kept=True, depth=line.depth + 1))
    return made


def _head(ours: list[_Line]) -> tuple[tuple[str, ...], list[_Line]]:
    """What stands above a program as a whole, its licence for one, and the program below it; a comment right above a
    definition is that one's own."""
    if not ours:
        return (), ours
    first, above = ours[0], ours[0].above
    size = len(above)
    if first.scope and not first.documentation:
        while size and above[size - 1].strip() and not _OF_FILE.search(above[size - 1]):
            size -= 1
    return above[:size], [replace(first, above=above[size:]), *ours[1:]]


def _headed(lines: list[_Line], head: tuple[str, ...]) -> list[_Line]:
    """The lines below the head of the old program, unless they bring comments of their own."""
    if lines and head and (lines[0].kept or not lines[0].commented):
        above = lines[0].above
        lines = [replace(lines[0], above=(*head, *above[len(_blank(above)) :])), *lines[1:]]
    return lines


def _written(lines: Sequence[_Line], tail: Sequence[str], step: str | None) -> str:
    """The program's text; new lines are indented as their kept neighbours are, or else in the old measure."""
    levels = {0: ""}
    kept = _kept(lines)
    text: list[str] = []
    for at, line in enumerate(lines):
        levels = {depth: white for depth, white in levels.items() if depth <= line.depth}
        if line.depth not in levels:
            neighbour = _neighbour(kept, lines, at)
            levels[line.depth] = (
                indent(neighbour.text[0]) if neighbour else levels.get(line.depth - 1, "") + (step or "    ")
            )
        if line.kept and indent(line.text[0]) == levels[line.depth]:
            text += [*line.above, *line.text]
        else:
            text += _shifted(line, levels[line.depth])
    return "\n".join([*text, *tail])


def _kept(lines: Sequence[_Line]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for at, line in enumerate(lines):
        if line.kept:
            found.setdefault(line.depth, []).append(at)
    return found


def _neighbour(kept: dict[int, list[int]], lines: Sequence[_Line], at: int) -> _Line | None:
    """The first line of the same block that is the old program's own."""
    depth = lines[at].depth
    same = kept.get(depth, [])
    place = bisect_left(same, at)
    if place == len(same) or any(lines[i].depth < depth for i in range(at, same[place])):
        return None
    return lines[same[place]]


def _shifted(line: _Line, white: str) -> Iterator[str]:
    was = indent(line.text[0])
    for above in line.above:
        yield white + above.lstrip(" \t") if above.strip() else above
    for row, text in enumerate(line.text):
        free = row not in line.fixed and text.strip() and text.startswith(was)
        yield white + text[len(was) :] if row == 0 or free else text
