"""Checks of the readers on benchmark rows; the same for the samples kept here and for the whole sets."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

from refiner.domain.task import Kind, Option, Task
from refiner.verify.detect import detect, options
from refiner.verify.equal import same
from refiner.verify.read import read

Row = dict[str, Any]


def rows(file: Path) -> list[Row]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def offered(row: Row) -> tuple[Option, ...]:
    return tuple(Option(label, " ".join(text.split())) for label, text in row.get("choices", {}).items())


def rendered(row: Row) -> str:
    """A question with its options, one a line."""
    return "\n".join([row["question"], *(f"{option.label}) {option.text}" for option in offered(row))])


def check_numbers(file: Path) -> None:
    """What is read from the reference solution, and from every dress of the answer, equals the answer."""
    for row in rows(file):
        gold = row["answer"]
        replies = [
            row["solution"],
            f"Answer: {gold}",
            f"So.\n\n**Final Answer:** ${gold}$.",
            f"The answer is ${gold}$.",
            f"Thus \\[\\boxed{{{gold}}}\\]",
            gold,
        ]
        for reply in replies:
            found = read(reply, Task(row["question"], Kind.NUMBER))
            assert found is not None, (row["id"], reply)
            assert same(found, gold, Kind.NUMBER), (row["id"], reply, found)


def check_equality(file: Path) -> None:
    """An answer equals itself, and its neighbour only where a grader would say so too."""
    answers = list(dict.fromkeys(row["answer"] for row in rows(file)))
    for answer in answers:
        assert same(answer, f"{answer} ", Kind.NUMBER)
        assert same(answer, f"${answer}$", Kind.NUMBER)
    for left, right in pairwise(answers):
        assert not same(left, right, Kind.NUMBER), (left, right)


def check_choices(file: Path) -> None:
    """Every dress of a label, and the text of an option that no other shares, is read as that label."""
    for row in rows(file):
        if not (choices := offered(row)):
            continue
        task, gold = Task(row["question"], Kind.CHOICE, choices), row["answer"]
        text = next(option.text for option in choices if option.label == gold)
        replies = [
            gold,
            f"Answer: {gold}",
            f"Steps.\n\n**Answer:** ({gold})",
            f"So the answer is {gold}.",
            f"Steps.\n{gold}) {text}",
            f"The answer is ({gold}) {text}.",
            f"The correct option is {gold} because of this.",
            f"Hence $\\boxed{{{gold}}}$.",
        ]
        if [option.text for option in choices].count(text) == 1:
            replies.append(f"The answer is {text}.")
        for reply in replies:
            assert read(reply, task) == gold, (row["id"], reply)


def check_texts(file: Path) -> None:
    for row in rows(file):
        if "choices" not in row:
            for reply in (f"Answer: {row['answer']}", f"Steps.\n**Answer:** {row['answer']}"):
                assert read(reply, Task(row["question"], Kind.TEXT)) == row["answer"], (row["id"], reply)


def check_options(file: Path) -> None:
    """The options that a question lists are found, letter by letter, or as words where they have no labels."""
    for row in rows(file):
        if "choices" in row and "Options:" in row["question"]:
            assert options(row["question"]) == offered(row), row["id"]


def kinds(file: Path) -> dict[Kind, int]:
    """How many questions of a file are taken for each kind, their options rendered where the question has none."""
    counted = dict.fromkeys(Kind, 0)
    for row in rows(file):
        asked = row["question"] if "Options:" in row["question"] else rendered(row)
        counted[detect(asked)[0]] += 1
    return counted
