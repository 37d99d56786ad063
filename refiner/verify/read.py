"""Reading the answer out of a model's reply."""

import re
from itertools import pairwise

from refiner.domain.code import Suite
from refiner.domain.task import Kind, Task
from refiner.verify.choice import choose
from refiner.verify.numbers import NUMBER, canonical, exact, plain_signs, tidy
from refiner.verify.program import program
from refiner.verify.statement import Statement, hollow, statements, unmarked

# A dollar opens before a letter and closes after one, and before no digit: "$30 - $12" are two amounts (pandoc's rule).
_SPAN = re.compile(
    r"\$\$(.+?)\$\$|\$(?!\s)((?:\\.|[^$\\])+?)(?<!\s)\$(?!\d)|\\\(((?:(?!\\[()]).)+)\\\)|\\\[((?:(?!\\[\[\]]).)+)\\\]",
    re.DOTALL,
)
_WORDS = re.compile(
    r"(?<![\\A-Za-z{])(?!(?:sin|cos|tan|cot|sec|csc|log|ln|exp|sqrt|pi|mod|or|and)\b)[A-Za-z]{2,}"
    # Letters of other scripts (Greek ones are mathematics), and pictures.
    r"|[À-ÖØ-öø-ɏЀ-\u1fff\u3000-\ud7ff\uff00-\uffef☀-➿\U0001f300-\U0001faff]"
)
_ENVIRONMENT = re.compile(r"\\(?:begin|end)\s*\{\w+\*?\}|\\(?:text|mathrm|mbox|textbf)\s*\{[^{}]*\}|\\[A-Za-z]+")
_DELIMITER = re.compile(r"\$\$|\\[\[\]]|\\(?:begin|end)\s*\{\w+\*?\}")
_NAME = re.compile(r"\s*\\?[A-Za-z]+(?:_\w+|\([a-z]\))?\s*")
_COPULA = re.compile(r"\b(?:is|are|was|were|be|equals?)\s+(?:(?:about|approximately|around|exactly|just|only)\s+)?")
_RESTATED = re.compile(
    r"\s*\((?:or|i\.e\.,?|=|about|approximately)\s[^()]*\)|(?<=[\d}%$])\s+\([-+]?[$€£]?[\d.,/]+%?\)(?=\W*$)"
)
_ASSIGNED = re.compile(r"(?:,\s*|;\s*|\band\b\W*)\\?[A-Za-z]\w*\s*=")
_SHORT = 200
"""Characters that a text may have after "Answer:" and still be an answer and no essay."""


def read(text: str, task: Task) -> str | None:
    """The answer that a reply gives to a task; the last statement of it wins.

    A label for a choice, a number or formula as it was written for a number, the short answer or else the whole
    reply for text. None when there is none to be read, when the last statement names several ("A or B"), or when it
    is a place left open ("Answer: $LETTER").
    """
    match task.kind:
        case Kind.CHOICE:
            return choose(text, task.options)
        case Kind.NUMBER:
            return _number(text)
        case Kind.TEXT:
            return _text(text)
        case Kind.CODE:
            suite = task.suite or Suite()
            return program(text, language=suite.language, names=suite.names)


def _text(text: str) -> str | None:
    lines = [line.strip() for line in unmarked(text).splitlines() if line.strip()]
    for said, plain in statements(text):
        if hollow(said) and plain:
            return None
        # Several lines below "Answer:" are a text of their own, and "the answer is" within an essay means nothing.
        alone = said not in lines[:-1] if plain else bool(lines) and said in lines[-1]
        if said and len(said) <= _SHORT and alone:
            return tidy(said) if "\\" in said else said.rstrip(".")
    return text.strip() or None


def _number(text: str) -> str | None:
    text = plain_signs(text)
    for statement in statements(text):
        if hollow(statement.text):
            return None
        if found := _values(statement):
            return found[0] if len({canonical(value) for value in found}) == 1 else None
    lines = [line.strip() for line in unmarked(text).splitlines() if line.strip()]
    for line in [line for line in lines if not _DELIMITER.fullmatch(line)][:-3:-1]:
        if value := _last_value(line):
            return value
    return None


def _values(statement: Statement) -> list[str]:
    """The values that a statement gives: one, or several where it wavers ("5 or 6")."""
    text = _RESTATED.sub("", statement.text)
    spans = _spans(text)
    if _formula(text):
        parts = [text]
    elif spans and not re.search(r"\d", text[: text.index(spans[0])]):
        parts = spans if re.search(r"\bor\b", text) else spans[:1]
    else:
        return _in_prose(text)
    return [_result(choice) for part in parts for choice in re.split(r"\bor\b", part) if choice.strip()]


def _in_prose(text: str) -> list[str]:
    """The number after the last equals sign or the first "is", else the first one, and those joined to it by "or"."""
    text = _result_side(text)
    numbers = list(NUMBER.finditer(text))
    if numbers and re.search(r"[^\W\d_]", text[: numbers[0].start()]):
        ends = {match.end() for match in _COPULA.finditer(text)}
        said = next((at for at, number in enumerate(numbers) if {number.start(), number.start() - 1} & ends), 0)
        numbers = numbers[said:]
    found = [_written(numbers[0])] if numbers else []
    for before, number in pairwise(numbers):
        if not re.fullmatch(r"[^.]*\bor\b[^.]*", text[before.end() : number.start()]):
            break
        found.append(_written(number))
    return found


def _last_value(line: str) -> str | None:
    if spans := [span for span in _spans(line) if re.search(r"\d", span)]:
        return _result(spans[-1])
    if _formula(line) and re.search(r"[\d\\]", line):
        return _result(line)
    side = _result_side(line)
    numbers = list(NUMBER.finditer(side))
    return _written(numbers[-1 if side is line else 0]) if numbers else None


def _result_side(text: str) -> str:
    """What follows the last equals sign, if it holds a number; else the text itself."""
    _, equals, after = text.rpartition("=")
    return after if equals and NUMBER.search(after) else text


def _spans(text: str) -> list[str]:
    """The formulas between delimiters; two dollar amounts in a sentence are none."""
    inner = ((next(filter(None, match.groups())), match[0]) for match in _SPAN.finditer(text))
    return [whole for formula, whole in inner if _formula(formula)]


def _formula(text: str) -> bool:
    """Whether a text is mathematics from end to end."""
    bare = _ENVIRONMENT.sub(" ", text.rstrip("."))
    return bool(text.strip()) and not _WORDS.search(bare) and bool(re.search(r"[\d\\^_=]|^\W*[A-Za-z]\W*$", text))


def _result(formula: str) -> str:
    """A formula, or what a chain of equations comes to: `x = 5` is 5, `3 + 4 = 7` is 7; `y = 2x + 3` and
    `x = 1, y = 2` stay."""
    formula = tidy(formula)
    left, equals, right = formula.rpartition("=")
    if not equals or _ASSIGNED.search(formula) or not right.strip() or left.endswith(("<", ">", "!", "\\")):
        return formula
    named = _NAME.fullmatch(left)
    unknown = re.search(r"[A-Za-z]", _ENVIRONMENT.sub(" ", left))
    return right.strip() if not unknown or (named and exact(right)) or left.count("=") else formula


def _written(number: re.Match[str]) -> str:
    return re.sub(r"\s*percent", "%", number[0].replace("−", "-")).strip()
