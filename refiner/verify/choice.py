"""Which of the options a reply names."""

import re
from collections.abc import Sequence

from refiner.domain.task import Option
from refiner.verify.statement import hollow, statements, unmarked

_LEAD = r"(?:(?:option|choice|answer|letter|statement)\s+)?[\s(\[{$\"'“]*"
_TRAIL = r"[\s)\]}$\"'”]*"
# A bare label before a lower-case word is mostly no label but a word ("A good answer"), unless it goes on like this.
_AFTER = re.compile(
    r"\W*$|[^\w\s]|\s+(?:[(\[A-Z\d\\$]|(?:or|and|is|because|since|as|for|due|which|follows|holds|with)\b)", re.DOTALL
)
_DRESS = re.compile(r"\\(?:text|textbf|mathrm|mathbf|mathsf|boldsymbol|mbox)\s*\{([^{}]*)\}")
_HEDGE = re.compile(
    r"^(?:(?:probably|(?:most\s+)?likely|clearly|definitely|indeed|therefore|thus)\b[\s,:]*)+", re.IGNORECASE
)
_REFUSED = re.compile(r"(?:not|none|neither|nor|isn't|cannot|can't)\b", re.IGNORECASE)
_PAIRED = re.compile(r"(?:either|both|between)\b\s*", re.IGNORECASE)


def choose(text: str, options: Sequence[Option]) -> str | None:
    """The label of the option that a reply settles on; None when it names none, or several at once."""
    for statement in statements(text):
        if found := named(statement.text, options):
            return found.pop() if len(found) == 1 else None
        if hollow(statement.text):
            return None
    lines = [line.strip() for line in unmarked(text).splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    return _unmarked_choice(lines, options) if lines else None


def _unmarked_choice(lines: Sequence[str], options: Sequence[Option]) -> str | None:
    """The option that a reply without a marker names: alone on its last line, in so many words, or on one line only."""
    alone = [label for line in lines if _lone(line, options) for label in named(line, options)]
    if _lone(lines[-1], options):
        # The end of a list that repeats the options is no answer.
        closing = alone[-1] in alone[:-1] or (len(lines) > 1 and not lines[-2])
        return alone[-1] if closing or len(set(alone)) == 1 else None
    found = _said_right(lines, options) or set(alone)
    return found.pop() if len(found) == 1 else None


def named(statement: str, options: Sequence[Option]) -> set[str]:
    """The labels that the beginning of a statement stands for, by label or by the option's text."""
    statement = _HEDGE.sub("", _DRESS.sub(r"\1", statement))
    whole = _plain(statement)
    for written in ("label", "text"):
        if exact := {option.label for option in options if whole and _plain(getattr(option, written)) == whole}:
            return exact
    if _REFUSED.match(statement) and not _text(statement, options):
        return set()
    paired = _PAIRED.match(statement)
    rest = statement[paired.end() :] if paired else statement
    found: set[str] = set()
    while (taken := _label(rest, options)) or (taken := _text(rest, options)):
        label, rest = taken
        found.add(label)
        joined = re.match(r"\s*(?:,|/|&|;)?\s*(?:(?:or|and|and/or)\b)?\s*", rest)
        if joined is None or not joined[0].strip() or not _goes_on(rest[joined.end() :], options):
            break
        rest = rest[joined.end() :]
    bracketed = {label for label in re.findall(r"\(([A-Z])\)", statement) if any(label == o.label for o in options)}
    return found or bracketed


def _label(text: str, options: Sequence[Option]) -> tuple[str, str] | None:
    """The option whose label a text begins with, and what follows."""
    for option in options:
        match = re.match(rf"{_LEAD}({re.escape(option.label)}){_TRAIL}(?![\w'’])(?!-\w)", text, re.IGNORECASE)
        if match is None:
            continue
        rest, bare = text[match.end() :], match[0].strip() == match[1]
        said = match[1] == option.label or not rest.strip(" .") or not bare
        own = _plain(rest).startswith(_plain(option.text))
        if said and (own or not bare or _AFTER.match(text[match.end(1) :])):
            return option.label, rest
    return None


def _text(text: str, options: Sequence[Option]) -> tuple[str, str] | None:
    """The option whose text, the longest that fits, a text begins with, and what follows."""
    for option in sorted(options, key=lambda option: -len(option.text)):
        words = r"\W+".join(re.escape(word) for word in re.findall(r"\w+", option.text))
        match = re.match(rf"\W*(?:(?:the|an?)\s+)?{words}(?![\w'’]|\.\d)", text, re.IGNORECASE) if words else None
        if match:
            return option.label, text[match.end() :]
    return None


def _goes_on(rest: str, options: Sequence[Option]) -> bool:
    """Whether another option is named right here, and not only begins a clause ("B, A being wrong")."""
    taken = _label(rest, options) or _text(rest, options)
    return taken is not None and re.match(r"\W*(?:$|or\b|and\b)", taken[1]) is not None


def _lone(line: str, options: Sequence[Option]) -> bool:
    """Whether a line is nothing but an option: its label, its text, or both."""
    if any(_plain(line) in (_plain(o.text), _plain(o.label), _plain(f"{o.label} {o.text}")) for o in options):
        return True
    taken = _label(line, options)
    return taken is not None and not _plain(taken[1])


def _said_right(lines: Sequence[str], options: Sequence[Option]) -> set[str]:
    """The word that ends the last line ("… is invalid."), else the label of the last "B is the correct answer"."""
    words = {option.label.lower(): option.label for option in options if len(option.label) > 1}
    ended = re.search(r"(?<!\bnot )\b(\w+)\W*$", lines[-1])
    if ended and ended[1].lower() in words:
        return {words[ended[1].lower()]}
    labels = "|".join(re.escape(option.label) for option in options)
    right = rf"(?<!\w)(?:option\s+)?\(?({labels})\)?\s+is\s+(?:the\s+)?(?:only\s+)?(?:correct|right|best|answer)\b"
    return set(re.findall(right, "\n".join(lines))[-1:])


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+|[^\w\s.,;:!?()\[\]\"'*]", _DRESS.sub(r"\1", text).casefold()))
