"""From a row to an item: which column is which, and what an item has to hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from refiner.domain.errors import UsageError
from refiner.domain.task import Kind, Option
from refiner.evals.datasets.item import Item
from refiner.verify.detect import detect
from refiner.verify.equal import normal
from refiner.verify.numbers import exact

Column = str | Sequence[str]

NO_ANSWER = "-"
"""The column of a gold answer where there is none: answers are free text, and a judge compares them."""


@dataclass(frozen=True, slots=True)
class Fields:
    """The columns that an item is made of; those that a row does not have are left out, but for the question.

    id: without it, the row's number. choices: a column with a list of texts or a table of labels and texts, or one
    column for each choice. answer: the gold answer; with choices its label, its text, or as a number its place from 0.
    """

    id: str = "id"
    question: str = "question"
    choices: Column = "choices"
    answer: str = "answer"
    program: str = "program"
    visible_tests: str = "visible_tests"
    tests: str = "tests"
    entry_point: str = "entry_point"
    subject: str = "subject"

    @property
    def mapped(self) -> frozenset[str]:
        """The columns that are not the usual ones."""
        own = (getattr(self, field.name) for field in fields(self) if getattr(self, field.name) != field.default)
        return frozenset(name for column in own for name in ((column,) if isinstance(column, str) else column)) - {
            NO_ANSWER
        }

    @classmethod
    def of(cls, table: Mapping[str, Column]) -> "Fields":
        """The fields of a table in `refiner.toml`. Raises UsageError for a name that is none."""
        known = [field.name for field in fields(cls)]
        for name, column in table.items():
            if name not in known:
                raise UsageError(f'"{name}" is no field of an item: there are {", ".join(known)}')
            if name != "choices" and not isinstance(column, str):
                raise UsageError(f"{name} is one column")
        return cls(**table)  # type: ignore[arg-type]

    @classmethod
    def parse(cls, text: str) -> "Fields":
        """The fields of `--map`, such as "question=prompt,answer=target,choices=A+B+C+D"."""
        pairs = [pair.partition("=") for pair in text.split(",")]
        if any(not name.strip() or not column.strip() for name, _, column in pairs):
            raise UsageError(f'"{text}" is no map: write it as question=prompt,answer=target')
        columns = {name.strip(): column.strip() for name, _, column in pairs}
        split = {
            name: column.split("+") if name == "choices" and "+" in column else column
            for name, column in columns.items()
        }
        return cls.of(split)


def item_of(row: Mapping[str, Any], where: str, number: int, names: Fields, kind: Kind | None = None) -> Item:
    """The item of a row, the set's `number`th. Raises UsageError, beginning with where it stands, for a bad one."""
    question = _text(row, names.question, where)
    if not question.strip():
        known = ", ".join(map(str, row))
        raise UsageError(f'{where}: no question in column "{names.question}"; there are {known}')
    program, visible, tests = (
        _text(row, column, where) for column in (names.program, names.visible_tests, names.tests)
    )
    id = _text(row, names.id, where) or str(number)  # noqa: A001 - the noun
    if names.answer == NO_ANSWER and not (program or visible or tests):
        return Item(id, question, Kind.TEXT, subject=_text(row, names.subject, where))
    return made(
        where,
        id=id,
        question=question,
        choices=_choices(row, names.choices, where),
        answer=row.get(names.answer),
        kind=kind,
        program=program or None,
        visible=visible,
        tests=tests,
        entry_point=_text(row, names.entry_point, where) or None,
        subject=_text(row, names.subject, where),
    )


def made(
    where: str,
    *,
    id: str,  # noqa: A002 - the noun
    question: str,
    choices: Sequence[Option] = (),
    answer: object = None,
    kind: Kind | None = None,
    program: str | None = None,
    visible: str = "",
    tests: str = "",
    entry_point: str | None = None,
    subject: str = "",
) -> Item:
    """An item that can be asked and scored. Raises UsageError, beginning with where it stands, for one that cannot."""
    if program or tests or visible or kind is Kind.CODE:
        if not (tests or visible).strip():
            raise UsageError(f"{where}: {id} has no tests, so no program can be scored")
        return Item(
            id,
            question,
            Kind.CODE,
            program=program,
            visible=visible,
            tests=tests or visible,
            entry_point=entry_point,
            subject=subject,
            where=where,
        )
    gold = "" if answer is None else str(answer).strip()
    if not gold:
        raise UsageError(f"{where}: {id} has no gold answer: --map answer=- says that there is none")
    if choices:
        label = _label(answer, choices)
        if label is None:
            labels = ", ".join(option.label for option in choices)
            raise UsageError(f"{where}: the answer {gold!r} of {id} is none of its choices {labels}")
        listed = "\n".join(f"{option.label}) {option.text}" for option in choices)
        return Item(id, f"{question.rstrip()}\n\n{listed}", Kind.CHOICE, tuple(choices), label, subject=subject)
    if kind in (Kind.NUMBER, Kind.TEXT):
        return Item(id, question, kind, answer=gold, subject=subject)
    found, options = _guessed(question, gold)
    if kind is Kind.CHOICE or found is Kind.CHOICE:
        if (label := _label(gold, options)) is None:
            raise UsageError(f"{where}: the answer {gold!r} of {id} is none of the choices that its question lists")
        return Item(id, question, Kind.CHOICE, options, label, subject=subject)
    return Item(id, question, found, answer=gold, subject=subject)


def _guessed(question: str, gold: str) -> tuple[Kind, tuple[Option, ...]]:
    """The kind of an answer by its question, as long as the gold answer is of that kind."""
    kind, options = detect(question)
    if kind is Kind.CHOICE and _label(gold, options) is not None:
        return kind, options
    return (Kind.NUMBER if exact(gold) or kind is Kind.NUMBER else Kind.TEXT), options


def _label(answer: object, choices: Sequence[Option]) -> str | None:
    """The label of the choice that an answer names: by place, by label, else by text."""
    if isinstance(answer, int) and not isinstance(answer, bool):
        return choices[answer].label if 0 <= answer < len(choices) else None
    gold = normal(str(answer), Kind.CHOICE)
    labels = {normal(option.label, Kind.CHOICE).casefold(): option.label for option in choices}
    texts = {normal(option.text, Kind.TEXT): option.label for option in choices}
    return labels.get(gold.casefold()) or texts.get(normal(str(answer), Kind.TEXT))


def _choices(row: Mapping[str, Any], column: Column, where: str) -> tuple[Option, ...]:
    told = row.get(column) if isinstance(column, str) else [row.get(name) for name in column]
    match told:
        case None | "" | []:
            return ()
        case {"text": list(texts), "label": list(labels)} if len(texts) == len(labels):
            pairs = list(zip(labels, texts, strict=True))
        case dict():
            pairs = list(told.items())
        case list() if len(told) <= 26:
            pairs = list(zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", told, strict=False))
        case _:
            raise UsageError(f'{where}: "{column}" holds no choices but {type(told).__name__}')
    if bad := [label for label, text in pairs if not str("" if text is None else text).strip()]:
        raise UsageError(f"{where}: choice {bad[0]} is empty")
    return tuple(Option(str(label), str(text).strip()) for label, text in pairs)


def _text(row: Mapping[str, Any], column: str, where: str) -> str:
    told = row.get(column)
    match told:
        case None:
            return ""
        case str():
            return told
        case bool() | dict():
            raise UsageError(f'{where}: "{column}" is no text but {type(told).__name__}')
        case list():
            return "\n".join(map(str, told))
        case _:
            return str(told)
