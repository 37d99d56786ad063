"""A program without what it does."""

import pytest

from refiner.verify.empty import emptied

PROGRAM = '''"""Sums."""
import os
LIMIT = 3

@os.cache
def add(a, b=1):
    """Both."""
    return a + b

class Total(Base):
    start = 0

    @property
    def of(self):
        return 1

class Color(Enum):
    RED = 1

async def later(): yield 1
print(add(1))
'''
EMPTY = """import os

@os.cache
def add(a, b=1):
    pass

class Total(Base):

    @property
    def of(self):
        pass

class Color(Enum):
    pass

async def later():
    pass"""


def test_names_stay_and_nothing_is_in_them() -> None:
    assert emptied(PROGRAM) == EMPTY


@pytest.mark.parametrize("text", ["", "LIMIT = 3\n", "class Color(Enum):\n    RED = 1\n", "def add(:\n", "\0"])
def test_what_has_no_function(text: str) -> None:
    assert emptied(text) is None
