"""Reading a program out of a model's reply."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from refiner.domain.calls import Finish
from refiner.verify.fences import Block, blocks
from refiner.verify.problem import problem
from refiner.verify.syntax import defined, does, in_string, missing, outline, parse, parsed, same_program

__all__ = ["code_problem", "outline", "program", "same_program"]

_PYTHON = frozenset(("", "python", "py", "python3", "py3", "pycon", "ipython", "code", "text", "txt", "plaintext"))
_FOREIGN = re.compile(r"^@@ .*@@|^diff --git |^(?:<{5,}|>{5,}) ?(?:SEARCH|REPLACE|ORIGINAL|UPDATED)\b", re.MULTILINE)
_CODE = re.compile(
    r"(?:async[ \t]+)?(?:def|class|import|from|if|for|while|with|try|global)\b|[@#]\w|\"{3}|'{3}|\w+[ \t]*[:=]"
)
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)", re.MULTILINE)
_PROMPT = re.compile(r"[ \t]*(?:>>>|\.\.\.)(?: |$)")
_MOST_TRIES = 60


@dataclass(frozen=True, slots=True)
class _Found:
    """A piece of Python in a reply; own are the names it defines, names those and what it imports."""

    text: str
    own: frozenset[str]
    names: frozenset[str]
    working: bool
    closed: bool

    def has(self, wanted: frozenset[str], *, imported: bool = False) -> bool:
        # A block of examples may import what it shows, so an import alone is the weaker claim.
        if not wanted:
            return any(not name.lower().startswith("test") for name in self.own) if not imported else self.working
        return wanted <= (self.names if imported else self.own)


def program(reply: str, *, language: str = "python", names: Sequence[str] = ()) -> str | None:
    """The program in a model's reply, ending in one newline; None where there is none to be read.

    Python: the last closed block that parses and defines the names, together with the blocks that it needs; else
    blocks that define them between them; else an open block, or bare code, that does. Without names, any definition
    but a test counts. A diff, edits and other languages are no program. Another language: the last closed block
    that is labelled with it or not at all, or a reply without fences.
    """
    found = _program(reply, language, names)
    return found[0] if found else None


def code_problem(
    reply: str,
    *,
    old: str | None,
    prompt: str,
    finish: Finish,
    language: str = "python",
    names: Sequence[str] = (),
) -> str | None:
    """Why the program in a reply must not replace another: "empty", "truncated", "unreadable", "unchanged" or "echoed";
    None when it may.

    The arguments are those of `problem`, and of `program`. A program in a closed block is whole even where the reply
    was cut after it; one that differs from the old in layout, comments or docstrings alone is unchanged.
    """
    found = _program(reply, language, names)
    if found is None:
        return problem(reply, old=None, prompt=prompt, finish=finish) or "unreadable"
    text, whole = found
    if finish is Finish.LENGTH and not whole:
        return "truncated"
    same = same_program if language == "python" else (lambda one, other: one.split() == other.split())
    if old is not None and same(text, old):
        return "unchanged"
    shown = (inner for _, inner in re.findall(r"<(\w+)>\n(.*?)\n</\1>", prompt, re.DOTALL))
    return "echoed" if any(same(text, inner) for inner in shown if inner.strip()) else None


def _program(reply: str, language: str, names: Sequence[str]) -> tuple[str, bool] | None:
    """The program and whether it is known to be whole."""
    reply = reply.replace("\r\n", "\n").lstrip("\ufeff")
    if language != "python":
        return _foreign(reply, language)
    wanted = frozenset(name.partition(".")[0] for name in names)
    pieces = [piece for block in blocks(reply, in_string) for piece in _pieces(block)]
    for imported in (False, True):
        for closed in (True, False):
            if found := _chosen([piece for piece in pieces if piece.closed or not closed], wanted, imported=imported):
                return _ended(found), closed
    bare = next((piece for piece in _bare(_FENCE.split(reply, maxsplit=1)[0]) if piece.has(wanted)), None)
    return (_ended(bare.text), False) if bare else None


def _foreign(reply: str, language: str) -> tuple[str, bool] | None:
    fenced = blocks(reply)
    known = [block for block in fenced if block.closed and block.language == language.lower()]
    plain = [block for block in fenced if block.closed and not block.language]
    text = (known or plain)[-1].text if known or plain else "" if fenced else reply
    return (_ended(text), bool(fenced)) if text.strip() else None


def _chosen(pieces: list[_Found], wanted: frozenset[str], *, imported: bool) -> str | None:
    whole = [piece for piece in pieces if piece.has(wanted, imported=imported)]
    if whole:
        return _joined(pieces, whole[-1:])
    parts = [piece for piece in pieces if piece.own & wanted]
    once = sum(len(piece.own & wanted) for piece in parts) == len(wanted)
    together = frozenset[str]().union(*(piece.own for piece in parts))
    return _joined(pieces, parts) if wanted and once and wanted <= together else None


def _joined(pieces: list[_Found], chosen: list[_Found]) -> str:
    """The chosen pieces and those that define what they lack, in the order of the reply."""
    while True:
        text = "\n\n".join(piece.text.strip("\n") for piece in pieces if piece in chosen)
        lacking = missing(text)
        others = [piece for piece in pieces if piece not in chosen]
        more = [piece for piece in others if piece.own & lacking] or [
            piece for piece in others if piece.names & lacking
        ]
        if not more:
            return text
        chosen = [*chosen, more[-1]]


def _pieces(block: Block) -> Iterator[_Found]:
    if block.language in _PYTHON and not _FOREIGN.search(block.text):
        for text in (block.text, _unprompted(block.text), *_untabbed(block.text)):
            if piece := _piece(text, closed=block.closed):
                yield piece
                return


def _piece(text: str, *, closed: bool) -> _Found | None:
    tree = parsed(text) if text.strip() else None
    if tree is None:
        return None
    working = any(does(node) for node in tree.body)
    return _Found(text, defined(tree, imports=False), defined(tree), working, closed)


def _unprompted(text: str) -> str:
    """A session at the prompt without its prompts and what it printed."""
    return "\n".join(_PROMPT.sub("", line, count=1) for line in text.split("\n") if _PROMPT.match(line))


def _untabbed(text: str) -> Iterator[str]:
    try:
        parse(text)
    except TabError:
        yield text.expandtabs(4)
        yield text.expandtabs(8)
    except SyntaxError:
        pass


def _bare(reply: str) -> Iterator[_Found]:
    """Code without a fence: the whole reply, or the stretches of it that parse."""
    if _FOREIGN.search(reply):
        return
    lines, at = reply.split("\n"), 0
    for _ in range(_MOST_TRIES):
        at = next(
            (at for at in range(at, len(lines)) if _CODE.match(lines[at]) or _PROMPT.match(lines[at])), len(lines)
        )
        if at == len(lines):
            return
        end = _stretch(lines, at)
        text = "\n".join(lines[at:end])
        for form in (text, _unprompted("\n".join(lines[at:]))):
            if piece := _piece(form, closed=False):
                yield piece
        at = max(end, at + 1)


def _stretch(lines: list[str], at: int) -> int:
    """Where the code that starts at a line ends: before the first line of prose. A line that is indented is no prose:
    there the code itself is broken or cut off, and there is no stretch."""
    end = len(lines)
    for _ in range(_MOST_TRIES):
        try:
            parse("\n".join(lines[at:end]))
        except SyntaxError as error:
            end = at + min((error.lineno or 1) - 1, end - at - 1)
            if end <= at or lines[end][:1].isspace():
                break
        else:
            return end
    return at


def _ended(text: str) -> str:
    lines = text.split("\n")
    while lines and not lines[0].strip():
        del lines[0]
    return "\n".join(lines).rstrip() + "\n"
