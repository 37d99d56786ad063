"""What kind of answer a question asks for, and the options it offers."""

import re
from collections.abc import Iterable

from refiner.domain.task import Kind, Option

_LINE = re.compile(
    r"^[ \t]*(?:[-*•][ \t]+)?(?:\*\*)?(?:\(([A-Z])\)|\[?([A-Z])[).\]])(?:\*\*)?[ \t]+(?=\S)", re.MULTILINE
)
_LOOSE = re.compile(r"^[ \t]*(?:[-*•][ \t]+)?[(\[]?([A-Za-z])(?:[).\]]|[ \t]+[-–—])[ \t]+(?=\S)", re.MULTILINE)
_INLINE = re.compile(r"(?<![\w)])\(([A-Z])\)\s+(?=\S)|(?<![\w(])([A-Z])\)\s+(?=\S)")
_COLON = re.compile(r"^[ \t]*(?:\*\*)?(([A-Z])):(?:\*\*)?[ \t]+(?=\S)", re.MULTILINE)
_BULLETS = re.compile(
    r"^[ \t]*(?:options|choices)[ \t]*:[ \t]*\n((?:[ \t]*[-*•][ \t]+\S.*(?:\n|\Z)){2,})", re.MULTILINE | re.IGNORECASE
)
_SLASHED = re.compile(r"\b(yes|true|valid|correct)\s*(?:/|,?\s+or\s+)\s*(no|false|invalid|incorrect)\b", re.IGNORECASE)
_YES_NO = re.compile(r"(?:is|are|was|were|do|does|did|can|could|will|would|should|has|have|had)\b", re.IGNORECASE)
_JOIN = re.compile(r"(?:^|[\s,;]+)(?:or|and)?[\s,;]*$", re.IGNORECASE)

_TASK = re.compile(
    r"(?:please\s+)?(?:tell|explain|describe|summari[sz]e|translate|list|draft|propose|rewrite|rephrase|implement|compose|discuss"
    r"|create|generate|suggest|edit|design|sort|name|write(?!\s+(?:the\s+(?:expression|number|sum)\b|[$\\])))\b",
    re.IGNORECASE,
)
_AMOUNT = re.compile(
    r"\bhow\s+(?:many|much)\b|\b(?:calculate|compute|evaluate|simplify|solve|probability)\b", re.IGNORECASE
)
_MEASURE = re.compile(
    r"\bhow\s+(?:long|old|far|tall|fast|heavy|high|deep|wide|large|big|often)\b"
    r"|\b(?:what|which|find|determine|give|express|is|be)\b[^.?!]*?"
    r"\b(?:number|integer|sum|total|difference|product|quotient|remainder|average|mean|median|ratio|rate|fraction|score"
    r"|percent(?:age)?|probability|area|volume|perimeter|circumference|length|width|height|depth|distance|speed|weight"
    r"|age|price|cost|profit|value|degree|angle|radius|salary|revenue|temperature|power|term)s?\b",
    re.IGNORECASE,
)
_FIGURE = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|twice|half|dozen|in (?:square |cubic )?units)\b",
    re.IGNORECASE,
)
_TERM = "0123456789.,+-*/×÷^() "
_OPERATION = re.compile(r"\d *\)* *[-+*/×÷^] *\(* *-?\d")
_ASKS = re.compile(r"(?:^|\b(?:is|equals?|of|result|answer)|[:=])$", re.IGNORECASE)
_FORMULA = re.compile(r"\$\$|\$[^$\n]*[\\^_={][^$\n]*\$|\$\s*-?[A-Za-z]\s*\$|\\[(\[]|\\(?:frac|sqrt|int|sum|begin)\b")
_OPTION = 2000
"""Characters that the last option of a list may have."""
_TAIL = 4000
"""Characters at the end of a question in which it says what it asks for; the rest is material."""
_SENTENCE = 600
"""Characters at the end of the question proper that are looked at."""
_SENTENCE_END = re.compile(r"(?<=[.?!])(?<!\bMr\.)(?<!\bDr\.)(?<!\bvs\.)(?<!\bMrs\.)\s+|\n+")


def detect(text: str) -> tuple[Kind, tuple[Option, ...]]:
    """The kind of answer that a question asks for: a choice of listed options, a number or formula, or text."""
    if offered := labelled(text) or _bulleted(text):
        return Kind.CHOICE, offered
    return (Kind.NUMBER if _asks_number(text) else Kind.TEXT), ()


def options(text: str) -> tuple[Option, ...]:
    """The options of a question that is known to be a choice; unlabelled ones are their own labels.

    Labelled options come first, then bullets below "Options:", then labels such as "a)" or "A -", which are mostly none
    elsewhere, then "yes or no" and the like. () where it offers none.
    """
    if offered := labelled(text) or _bulleted(text) or labelled(text, (_LOOSE,)):
        return offered
    if pairs := _SLASHED.findall(text):
        names = [word.capitalize() for word in pairs[-1]]
    elif _YES_NO.match(_last_sentence(text)):
        names = ["Yes", "No"]
    else:
        names = []
    return tuple(Option(name, name) for name in names)


def _bulleted(text: str) -> tuple[Option, ...]:
    """The bullets below "Options:", their own labels; () where there are none."""
    bullets = _BULLETS.search(text)
    lines = bullets[1].strip().splitlines() if bullets else ()
    names = (line.strip().lstrip("-*•").strip() for line in lines)
    return tuple(Option(name, name) for name in names)


def labelled(text: str, patterns: Iterable[re.Pattern[str]] = (_LINE, _INLINE, _COLON)) -> tuple[Option, ...]:
    """The last list of at least two options labelled A, B, C …, one a line or in one line; () where there is none."""
    for pattern in patterns:
        marks = list(pattern.finditer(text))
        labels = [(mark[1] or mark[2]).upper() for mark in marks]
        if pattern is _COLON and labels.count("A") > 1:
            continue  # two speakers, not two options
        starts = [at for at, label in enumerate(labels) if label == "A"]
        for start in reversed(starts):
            end = start + 1
            while end < len(labels) and ord(labels[end]) == ord(labels[end - 1]) + 1:
                end += 1
            run = marks[start:end]
            if len(run) < 2:
                continue
            stops = [mark.start() for mark in run[1:]] + [_list_end(text, run[-1].end())]
            parts = (text[mark.end() : stop] for mark, stop in zip(run, stops, strict=True))
            texts = [" ".join(part.split()) for part in parts]
            if pattern is _INLINE:
                texts = [_JOIN.sub("", said) for said in texts]
            if all(texts):
                return tuple(Option(label, said) for label, said in zip(labels[start:end], texts, strict=True))
    return ()


def _list_end(text: str, start: int) -> int:
    """Where the last option ends: its line does."""
    end = text.find("\n", start, start + _OPTION)
    return min(len(text), start + _OPTION) if end < 0 else end


def _sentences(text: str) -> list[str]:
    return [part.strip() for part in _SENTENCE_END.split(text) if part.strip()]


def _last_sentence(text: str) -> str:
    """The last question of a text, or its last sentence where it asks none."""
    sentences = _sentences(text)
    asked = [sentence for sentence in sentences if sentence.endswith("?")]
    return (asked or sentences or [""])[-1]


def _asks_number(text: str) -> bool:
    if _TASK.match(text.strip()):
        return False
    text = text.strip()[-_TAIL:]
    last = _last_sentence(text)[-_SENTENCE:]
    if _arithmetic(last):
        return True
    if _AMOUNT.search(last):
        return True
    if _YES_NO.match(last):
        return False
    return bool(_FORMULA.search(text) or (_MEASURE.search(last) and _FIGURE.search(text)))


def _arithmetic(sentence: str) -> bool:
    """Whether a sentence ends in a bare calculation ("What is 12*3?"), and not in a date or a range of years."""
    sentence = sentence.rstrip(" =?")
    head = sentence.rstrip(_TERM)
    return bool(_OPERATION.search(sentence[len(head) :]) and _ASKS.search(head))
