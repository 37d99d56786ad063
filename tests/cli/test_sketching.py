"""From the form of a new run to what the service takes."""

from pathlib import Path

import pytest

from refiner.cli.sketching import body_of
from refiner.tui.source import FormError, Sketch


def test_a_task_a_text_and_a_program_with_tests(tmp_path: Path) -> None:
    program, tests, text = tmp_path / "totals.py", tmp_path / "test_totals.py", tmp_path / "notes.txt"
    program.write_text("def total(xs):\n    return 0\n")
    tests.write_text("from totals import total\n\ndef test_total():\n    assert total([1]) == 1\n")
    text.write_text("The sea is dry.")
    assert body_of(Sketch("Why?", calls="3", cost="0.5", model="local")) == {
        "input": "Why?",
        "settings": {"model": "local", "max_calls": 3, "max_cost": 0.5},
    }
    assert body_of(Sketch("Mend it.", str(text)))["input"] == "Mend it.\n\nThe sea is dry."
    body = body_of(Sketch(file=str(program), tests=str(tests), strategy="auto"))
    assert (body["input"], body["settings"]) == (
        "Find what is wrong in totals.py and mend it.",
        {"strategy": "auto"},
    )
    assert (body["program"], body["suite"]["program"]) == (program.read_text(), "totals.py")
    assert "program" not in body_of(Sketch("Write total().", tests=str(tests)))


@pytest.mark.parametrize(
    ("sketch", "field"),
    [
        (Sketch(), "task"),
        (Sketch(file="no/where.py"), "file"),
        (Sketch("a", tests="no/where.py"), "tests"),
        (Sketch("a", calls="0"), "calls"),
        (Sketch("a", calls="many"), "calls"),
        (Sketch("a", cost="nan"), "cost"),
        (Sketch("a", cost="-1"), "cost"),
    ],
)
def test_what_is_wrong_is_said_of_its_field(sketch: Sketch, field: str) -> None:
    with pytest.raises(FormError) as caught:
        body_of(sketch)
    assert caught.value.field == field
