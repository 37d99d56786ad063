"""Where in a reply its answer is stated."""

import re
from collections.abc import Iterator
from typing import NamedTuple

_EMPHASIS = re.compile(
    r"(?<![\w*])\*{1,3}(?=\S)|(?<=\S)\*{1,3}+(?!\w)|(?<!\w)(?:_{2,3}|`)(?=\S)|(?<=\S)(?:_{2,3}|`)(?!\w)"
    r"|</?(?:b|strong|em|i|u)>",
    re.IGNORECASE,
)
_MARKER = re.compile(
    r"""\\(?:boxed|fbox)\s*\{
    | ^[ \t]*\#{4}[ \t]+(?=\S+[ \t]*$)
    | <answer>
    | ^[ \t#>*-]*(?:the[ ])?(?:final[ ]|correct[ ])?(?:answer|result)[ \t]*(?:[:\uff1a]|$|[-–—][ ])
    | (?P<spoken>\b(?:answers?|(?:correct|right|best)\s(?:option|choice|statement))\b
      (?:\s+(?:to|for)\s+(?:the|this|your)\s+\w+)?
      ["']?[ \t]*(?:[:\uff1a]|=|→|[-=]>|(?:is|are|was|(?:would|should|must|will)\s+be)\b))
    | (?P<foreign>(?:\b(?:antwort|lösung|respuesta|réponse|risposta|resposta|ответ)\b|答案|答え|정답)[^\n:]{0,20}?
      (?:[ \t]*[:\uff1a]|[ \t](?:ist|lautet|es|est|è|é)\b|是|为|は|는|은))
    """,
    re.VERBOSE | re.MULTILINE | re.IGNORECASE,
)
_HOLLOW = re.compile(
    r"answer|number|value|letter|option|choice|result|your|the|final|insert|here|label|text|expression|integer|amount"
    r"|of|correct",
    re.IGNORECASE,
)


class Statement(NamedTuple):
    """What follows a marker such as "Answer:"; `plain` where the marker has a line, a box or a tag of its own."""

    text: str
    plain: bool


def unmarked(text: str) -> str:
    """A reply without emphasis, of markdown or HTML; a power such as 2**3 stays."""
    return _EMPHASIS.sub("", text) if re.search(r"[*`<]|__", text) else text


def statements(text: str) -> Iterator[Statement]:
    """The places where a reply states its answer, the last one first."""
    text = unmarked(text)
    for match in reversed(list(_MARKER.finditer(text))):
        marker, rest = match[0], text[match.end() :]
        if marker.startswith("\\"):
            found = rest[: _closing(rest)]
        elif marker == "<answer>":
            found = rest.partition("</answer>")[0]
        else:
            found = _line(rest)
            if '"' in marker:
                found = found.rstrip().removesuffix("}")  # of a JSON object
        yield Statement(found.strip(" \t\n:\uff1a\u3002\"'“”"), plain=not (match["spoken"] or match["foreign"]))


def hollow(statement: str) -> bool:
    """Whether the place of the answer is all there is: "$LETTER", "[number]", "<your answer>", "…"."""
    words = re.findall(r"\w+", statement)
    if not words:
        return re.fullmatch(r"[\s._…?$]+", statement) is not None
    if words == ["X"]:
        return True
    marked = re.search(r"[\[<{$_]|^\W*(?:your|insert)\s+\w", statement, re.IGNORECASE)
    return bool(marked) and all(_HOLLOW.fullmatch(word) for word in " ".join(words).replace("_", " ").split())


def _line(rest: str) -> str:
    """The rest of the line, or, where that is blank, the next one; a displayed formula as a whole."""
    ahead = rest.lstrip(" \t\n:")
    for start, end in (("$$", "$$"), ("\\[", "\\]")):
        if ahead.startswith(start) and end in ahead[2:]:
            return ahead[: ahead.index(end, 2) + 2]
    line = rest.partition("\n")[0]
    return line if line.strip(" \t:") else ahead.partition("\n")[0]


def _closing(rest: str) -> int:
    """Where the brace that was opened before `rest` closes; its end if it never does."""
    depth = 1
    for at, letter in enumerate(rest):
        depth += {"{": 1, "}": -1}.get(letter, 0)
        if depth == 0:
            return at
    return len(rest)
