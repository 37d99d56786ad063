"""The readers on a few rows of each benchmark."""

from pathlib import Path

import pytest

from refiner.domain.task import Kind
from tests.verify import samples

DATA = Path(__file__).parents[1] / "data"


@pytest.mark.parametrize("name", ["gsm8k", "math500"])
def test_numbers_are_read(name: str) -> None:
    samples.check_numbers(DATA / f"{name}.jsonl")


def test_different_answers_stay_different() -> None:
    samples.check_equality(DATA / "math500.jsonl")


@pytest.mark.parametrize("name", ["bbh", "mmlu"])
def test_choices_are_read(name: str) -> None:
    samples.check_choices(DATA / f"{name}.jsonl")


def test_texts_and_options_are_read() -> None:
    samples.check_texts(DATA / "bbh.jsonl")
    samples.check_options(DATA / "bbh.jsonl")


def test_kinds_are_recognised() -> None:
    assert samples.kinds(DATA / "gsm8k.jsonl")[Kind.NUMBER] == 8
    assert samples.kinds(DATA / "mmlu.jsonl")[Kind.CHOICE] == 6
    bbh = samples.kinds(DATA / "bbh.jsonl")
    # Four list their options, two number the objects or the result.
    assert (bbh[Kind.CHOICE], bbh[Kind.NUMBER], bbh[Kind.TEXT]) == (4, 2, 2)
