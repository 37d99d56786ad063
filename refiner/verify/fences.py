"""The fenced blocks of a reply, as models write them and not only as markdown has them."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_OPENING = re.compile(r"(?P<indent>[ \t]*(?:(?:[-*>]|\d+[.)])[ \t]+)?)(?P<fence>`{3,}|~{3,})[ \t]*(?P<info>[^`\n]*)")
_MOST_TRIES = 20
"""How many fences within one block are tested for lying in a string."""


@dataclass(frozen=True, slots=True)
class Block:
    """The text between two fences, each line with its newline; language is the first word after the opening fence,
    in lower case, and closed is False where the reply ends inside the block."""

    language: str
    text: str
    closed: bool = True


def blocks(reply: str, quoted: Callable[[str], bool] = lambda _: False) -> tuple[Block, ...]:
    """The blocks of a reply whose lines end in "\\n". quoted: whether a text ends inside a string, where no fence ends
    a block."""
    return tuple(_blocks(reply.split("\n"), quoted))


def _blocks(lines: list[str], quoted: Callable[[str], bool]) -> Iterator[Block]:
    at = 0
    while at < len(lines):
        opening = _OPENING.fullmatch(lines[at].rstrip())
        at += 1
        if opening is None:
            continue
        start, tries = at, 0
        words = opening["info"].split()
        language = words[0].strip("{}.").lower() if words else ""
        while at < len(lines):
            last = _ends(lines[at], opening["fence"])
            if last is None and not _opens(lines[at]):
                at += 1
                continue
            tries += 1
            body = lines[start:at] + ([last] if last else [])
            if tries <= _MOST_TRIES and quoted(_shifted(body)):
                at += 1
                continue
            yield Block(language, _shifted(body))
            at += last is not None  # a fence with a language opens the next block, the closing one was forgotten
            break
        else:
            yield Block(language, _shifted(lines[start:]), closed=False)


def _ends(line: str, fence: str) -> str | None:
    """What stands before the fence that closes a block on this line; None where the line has none."""
    text = line.rstrip()
    bare = text.rstrip(fence[0])
    if len(text) - len(bare) < len(fence) or fence in bare:
        return None
    return bare.rstrip()


def _opens(line: str) -> bool:
    opening = _OPENING.fullmatch(line.rstrip())
    return opening is not None and re.fullmatch(r"\w+", opening["info"]) is not None


def _shifted(lines: list[str]) -> str:
    """The lines without the indentation that all of them have; blank ones stay as they are."""
    first = next((line for line in lines if line.strip()), "")
    margin = first[: len(first) - len(first.lstrip(" \t"))]
    if margin and all(line.startswith(margin) for line in lines if line.strip()):
        lines = [line.removeprefix(margin) for line in lines]
    return "".join(f"{line}\n" for line in lines)
