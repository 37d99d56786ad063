"""Tests that came along with a program."""

from refiner.domain.code import Suite
from refiner.verify.trim import without_tests

SUITE = Suite(
    (("test_add.py", "from add import add\n\ndef test_add():\n    assert add(1, 2) == 3\n"),), "add", names=("add",)
)


def test_what_was_shown_goes_and_the_program_stays() -> None:
    came = """import math
from add import add


def add(a, b):
    return math.fsum([a, b])


@property
def test_add():
    assert add(1, 2) == 3

assert add(1, 2) == 3
"""
    assert without_tests(came, SUITE) == "import math\n\n\ndef add(a, b):\n    return math.fsum([a, b])\n"


def test_a_program_of_tests_alone_or_of_none_is_left() -> None:
    for program in ("def test_add():\n    pass\n", "def add(a, b):\n    return a + b\n", "def add(:\n"):
        assert without_tests(program, SUITE) == program
