"""Tests and calls out of a model's words."""

from hypothesis import given
from hypothesis import strategies as st

from refiner.verify.asserts import MOST, asserts, calls


def test_only_calls_against_literals_are_tests() -> None:
    reply = """Here they are:
```python
assert add(1, 2) == 3
    assert add(-1, 1) == 0  # the sign
- assert add([1], [2]) == [1, 2]
assert add(1, 2) == 3
assert add(x, 2) == y
assert add(1, 2) > 2
assert True
assert add(1, == 2
```"""
    assert asserts(reply) == ["assert add(1, 2) == 3", "assert add(-1, 1) == 0", "assert add([1], [2]) == [1, 2]"]


def test_calls_are_read_from_prose() -> None:
    text = "For `merge([[1, 4], [2, 3]])` it gives [[1, 3]]; see also merge(intervals) and max(3, (4)), merge(a=())."
    assert calls(text) == ["merge([[1, 4], [2, 3]])", "max(3, 4)", "merge(a=())"]


def test_the_left_sides_of_tests_are_calls() -> None:
    assert calls("assert f('a)b') == 1\nassert f((1,), {2: 3}) == 2") == ["f('a)b')", "f((1,), {2: 3})"]


@given(st.text(max_size=300))
def test_nothing_is_too_odd_to_be_read(text: str) -> None:
    assert len(asserts(text)) <= MOST
    assert len(calls(text)) <= MOST
