"""What the text of tests tells: the runner, the names, the process, and what is wrong with it."""

import pytest

from refiner.domain.code import Suite
from refiner.domain.errors import UsageError
from refiner.sandbox.inside.closeness import closeness
from refiner.sandbox.suites import Plan, recognise


def plan(text: str, **more: str) -> Plan:
    return recognise(Suite(files=(("test_it.py", text),), **more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "how"),
    [
        ("assert f(1) == 2", "plain"),
        ("from solution import f\ndef test_f(): assert f(1) == 2", "plain"),
        (
            "import unittest, solution\nclass T(unittest.TestCase):\n  def test_f(self): self.assertTrue(solution.f)",
            "plain",
        ),
        ("from solution import f\nclass TestF:\n  def test_f(self): assert f(1) == 2", "pytest"),
        ("from solution import f\ndef test_f(tmp): assert f(1) == 2", "pytest"),
        ("import pytest\nfrom solution import f\ndef test_f():\n  with pytest.raises(ValueError): f(1)", "pytest"),
        ("from solution import f\ndef setup_module(): pass\ndef test_f(): assert f(1) == 2", "pytest"),
    ],
)
def test_which_runner(text: str, how: str) -> None:
    assert plan(text).how == how


def test_a_conftest_needs_pytest() -> None:
    files = (("test_a.py", "from solution import f\ndef test_f(): assert f(1) == 2"), ("conftest.py", ""))
    found = recognise(Suite(files=files))
    assert (found.how, found.tests) == ("pytest", ("test_a.py",))


def test_names_that_the_tests_use_and_never_define() -> None:
    assert plan("x = 3\nassert f(x) == g").names == ("f", "g")
    assert plan("def check(search):\n  assert search(1) == 2\ncheck(search)").names == ("search",)
    assert plan("def h(a):\n  b = a\n  return b\nassert h(f(1)) == [c for c in range(3)]").names == ("f",)
    assert plan("import f as g\nassert g(1) == k(2)").names == ("k",)


def test_a_name_of_the_standard_library_is_not_the_programs() -> None:
    found = plan("assert abs(f(2.0) - math.pi) < isclose(1, 1) + len(List)")
    assert found.names == ("f",)
    assert found.modules == ("math", "math.isclose", "typing.List")


def test_unless_it_is_what_the_tests_are_about() -> None:
    assert plan("assert sum(1, 2) == 3").names == ("sum",)
    assert plan("assert gcd(4, 6) == 2\nassert lcm(4, 6) == 12").names == ("gcd", "lcm")
    assert plan("assert f(sum(1, 2)) == 3", entry_point="sum").names == ("f", "sum")
    assert plan("assert math.f(1) == 3\nassert g(2)", entry_point="math").names == ("g", "math")


def test_who_calls_check() -> None:
    text = "def check(candidate):\n  assert candidate(1) == 2\n"
    assert plan(text, entry_point="f").entry == "f"
    assert plan(text + "check(f)").entry is None
    assert plan(text.replace("candidate", "g")).entry == "g"
    with pytest.raises(UsageError, match="name the function"):
        plan(text)


@pytest.mark.parametrize(
    "text",
    [
        "def test_f(monkeypatch): assert f",
        "from unittest.mock import patch\n@patch('solution.g')\ndef test_f(g): assert f(1)",
        "from unittest import mock\ndef test_f():\n  with mock.patch.object(solution, 'g'): assert f(1)",
        "import inspect\nassert 'x' in inspect.getsource(f)",
        "import importlib\nimportlib.reload(solution)\nassert f(1)",
        "class Mine(f): pass\nassert Mine()",
        "assert 'g' in solution.__dict__",
        "assert f.__code__.co_argcount == 1",
        "def test_f(tmp_path): assert f(tmp_path)",
        "open('x', 'w').close()\nassert f('x')",
        "import sys, io\nsys.stdin = io.StringIO('x')\nassert f()",
        "import warnings, pytest\ndef test_f():\n  with pytest.warns(UserWarning): f()",
        "import os\nos.environ['X'] = '1'\nassert f()",
    ],
)
def test_tests_that_reach_into_the_program(text: str) -> None:
    assert plan(f"import solution\nfrom solution import f\n{text}").shared


@pytest.mark.parametrize(
    "text",
    [
        "def test_f(capsys): assert f() is None and capsys.readouterr().out == 'x'",
        "import math, json, copy\nassert f(copy.deepcopy([1])) == json.loads('[1]')",
        "from unittest.mock import Mock\nassert f(Mock()) == 1",
        "class Mine: pass\nassert f(Mine()) == 1",
        "assert isinstance(f(1), solution.Thing)",
        "for line in open('cases.txt', encoding='utf-8'): assert f(line)",
    ],
)
def test_tests_that_do_not(text: str) -> None:
    assert plan(f"import solution\nfrom solution import f\n{text}").shared is None


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("assert (", "test_it.py:1"),
        ("def test_f():\nassert f(1)", "test_it.py:2"),
        ("x = '\0'", "do not parse"),
        ("(" * 5000, "do not parse"),
        ("assert " + "-" * 200_000 + "f(1)", "do not parse"),
        ("", "assert nothing"),
        ("def test_f(): f(1)", "assert nothing"),
        ("assert True", "never use"),
        ("import json\nassert json.loads('1') == 1", "never use"),
    ],
)
def test_what_is_no_suite(text: str, part: str) -> None:
    with pytest.raises(UsageError, match=part):
        plan(text)


def test_files_without_a_test() -> None:
    with pytest.raises(UsageError, match="no Python file"):
        recognise(Suite(files=(("notes.txt", "x"),)))


def test_plugins_are_loaded_only_where_they_are_needed() -> None:
    head = "import pytest\nfrom solution import f\n"
    assert not plan(head + "@pytest.mark.parametrize('a, b', [(1, 2)])\ndef test_f(a, b): assert f(a) == b").plugins
    assert not plan(head + "@pytest.fixture\ndef own(): return 1\ndef test_f(own, capsys): assert f(own) == 1").plugins
    assert plan(head + "def test_f(benchmark): assert f(1) == 1").plugins
    assert plan(head + "@pytest.mark.asyncio\nasync def test_f(): assert await f(1) == 1").plugins


def test_a_byte_order_mark_and_a_coding_line_do_no_harm() -> None:
    assert plan("\ufeff# -*- coding: latin-1 -*-\nassert f('é') == 'é'").names == ("f",)


@pytest.mark.parametrize(
    ("actual", "expected", "low", "high"),
    [
        (3, 3, 1.0, 1.0),
        (9, 10, 0.89, 0.91),
        (-10, 10, 0.0, 0.0),
        (float("nan"), 1.0, 0.0, 0.0),
        (10**400, 1.5, 0.0, 0.0),
        ("kitten", "sitting", 0.6, 0.65),
        ([1, 2, 3], [1, 2, 4], 0.9, 0.95),
        ([1, 2], [1, 2, 3], 0.75, 0.85),
        ((1, 2), [1, 2], 0.0, 0.0),
        ("1", 1, 0.0, 0.0),
        (None, 0, 0.0, 0.0),
        (True, 1, 0.0, 0.0),
        ({1, 2}, {2, 3}, 0.33, 0.34),
        ({"a": 1, "b": 2}, {"a": 1}, 0.5, 0.5),
        ("a" * 10_000, "b" * 10_000, 0.0, 0.0),
        ([], [1], 0.0, 0.0),
    ],
)
def test_closeness(actual: object, expected: object, low: float, high: float) -> None:
    assert low <= closeness(actual, expected) <= high
