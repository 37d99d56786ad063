"""The readers on whole benchmarks, in the folder that REFINER_SHARED names: run by `make check-shared` alone."""

import os
from pathlib import Path

import pytest

from refiner.domain.task import Kind
from tests.verify import samples

DATA = Path(os.environ.get("REFINER_SHARED", "")) / "data"


@pytest.mark.parametrize("name", ["gsm8k_test", "math500"])
def test_every_reference_is_read(name: str) -> None:
    samples.check_numbers(DATA / f"{name}.jsonl")


def test_no_two_different_answers_are_equal() -> None:
    samples.check_equality(DATA / "math500.jsonl")


@pytest.mark.parametrize("name", ["bbh", "mmlu_textgrad"])
def test_every_choice_is_read(name: str) -> None:
    samples.check_choices(DATA / f"{name}.jsonl")


def test_every_text_and_option_is_read() -> None:
    samples.check_texts(DATA / "bbh.jsonl")
    samples.check_options(DATA / "bbh.jsonl")


@pytest.mark.parametrize(
    ("name", "kind", "share"),
    [
        ("gsm8k_test", Kind.NUMBER, 0.98),
        ("math500", Kind.NUMBER, 0.95),
        ("mmlu_textgrad", Kind.CHOICE, 1.0),
        ("bbh", Kind.CHOICE, 0.73),
    ],
)
def test_kinds_are_recognised(name: str, kind: Kind, share: float) -> None:
    counted = samples.kinds(DATA / f"{name}.jsonl")
    print(name, {str(kind): number for kind, number in counted.items() if number})
    assert counted[kind] >= share * sum(counted.values())
