"""What a program and its tests may do across two processes, and the verdict that comes of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from refiner.domain.code import Outcome, Suite
from refiner.domain.errors import UsageError
from refiner.sandbox.choose import Layer
from refiner.sandbox.judge import judge
from refiner.sandbox.limits import Limits
from tests.sandbox import judging
from tests.sandbox.judging import Bench
from tests.sandbox.trial import LAYERS, sandboxed


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with judging.bench() as opened:
        yield opened


def test_asserts_pass(bench: Bench) -> None:
    execution = bench.passes("def add(a, b): return a + b", "assert add(1, 2) == 3\nassert add(-1, 1) == 0")
    assert (execution.passed, execution.total, execution.score, execution.trusted) == (2, 2, 1.0, True)


def test_a_failed_assertion_tells_its_values(bench: Bench) -> None:
    execution = bench.judge("def add(a, b): return a * b", "assert add(2, 2) == 4\nassert add(2, 3) == 5\n")
    assert execution.outcome is Outcome.FAILED
    good, bad = execution.cases
    assert good.outcome is Outcome.PASSED
    assert (bad.name, bad.line, bad.source) == ("line 2", 2, "assert add(2, 3) == 5")
    assert (bad.actual, bad.expected) == ("6", "5")
    assert bad.closeness == pytest.approx(5 / 6)
    assert "add(2, 3)" in bad.detail
    assert 0.5 < execution.score < 1.0


def test_every_assertion_of_check_is_a_case(bench: Bench) -> None:
    tests = "def check(candidate):\n" + "".join(
        f"    assert candidate({n}) == {n + 1 if n != 2 else 0}\n" for n in (1, 2, 3)
    )
    execution = bench.judge("def inc(n): return n + 1", tests, entry_point="inc")
    assert [case.outcome for case in execution.cases] == [Outcome.PASSED, Outcome.FAILED, Outcome.PASSED]
    called = bench.judge("def inc(n): return n + 1", tests + "check(inc)\n")
    assert [case.outcome for case in called.cases] == [case.outcome for case in execution.cases]


def test_a_loop_counts_each_round_and_a_helper_tells_what_it_compared(bench: Bench) -> None:
    tests = """
def same(out, exp):
    exact = out == exp
    assert exact

for number, expected in [(1, 2), (2, 3), (3, 5)]:
    same(inc(number), expected)
"""
    execution = bench.judge("def inc(n): return n + 1", tests)
    assert [case.name for case in execution.cases] == ["line 7", "line 7 #2", "line 7 #3"]
    assert execution.passed == 2
    assert (execution.cases[2].actual, execution.cases[2].expected) == ("4", "5")
    assert "inc(3)" in execution.cases[2].detail


def test_functions_unittest_and_pytest(bench: Bench) -> None:
    source = "def add(a, b): return a - b"
    plain = "from solution import add\ndef test_one(): assert add(1, 1) == 2\ndef test_two(): assert add(2, 0) == 2\n"
    cases = """
import unittest
from solution import add
class T(unittest.TestCase):
    def test_one(self):
        self.assertEqual(add(1, 1), 2)
    def test_two(self):
        self.assertEqual(add(2, 0), 2)
"""
    marked = """
import pytest
import solution
@pytest.fixture
def two(): return 2
@pytest.mark.parametrize("a,b", [(1, 1), (2, 0)])
def test_sum(a, b, two):
    assert solution.add(a, b) == two
"""
    for tests, name in ((plain, "test_one"), (cases, "T.test_one"), (marked, "test_sum[1-1]")):
        execution = bench.judge(source, tests)
        assert (execution.outcome, execution.passed, execution.total) == (Outcome.FAILED, 1, 2), execution
        bad = execution.cases[0]
        assert (bad.name, bad.actual, bad.expected) == (name, "0", "2"), bad
        assert "add(" in bad.source
        bench.passes("def add(a, b): return a + b", tests)


def test_several_files_with_a_conftest(bench: Bench) -> None:
    files = (
        ("conftest.py", "import pytest\n@pytest.fixture\ndef three(): return 3\n"),
        ("test_a.py", "from solution import f\ndef test_f(three): assert f(3) == three\n"),
        ("deep/test_b.py", "from solution import f\nfrom helpers import five\ndef test_f(): assert f(5) == five\n"),
        ("deep/helpers.py", "five = 5\n"),
    )
    execution = bench.passes("def f(x): return x", "", files=files)
    assert execution.total == 2
    cases = "import unittest\nfrom solution import f\nclass T(unittest.TestCase):\n"
    cases += "    def test_f(self): self.assertEqual(f(3), 3)\n"
    assert bench.passes("def f(x): return x", "", files=(files[0], ("test_a.py", cases))).total == 1


def test_files_beside_plain_tests(bench: Bench) -> None:
    files = (
        (
            "checks.py",
            "import json, helpers\nfor case in json.load(open(helpers.beside('data.json'))):\n    assert f(case)",
        ),
        ("helpers.py", "from pathlib import Path\ndef beside(name): return Path(__file__).parent / name\n"),
        ("data.json", "[1, 2, 3]"),
    )
    execution = bench.judge("def f(x): return x != 2", "", files=files)
    assert (execution.passed, execution.total, execution.trusted) == (2, 3, True)


def test_a_project_around_the_program(bench: Bench, tmp_path: Path) -> None:
    package = tmp_path / "pkg"
    package.mkdir()
    (package / "__init__.py").write_text("from .mod import f\n")
    (package / "other.py").write_text("BASE = 10\ndef twice():\n    from pkg.mod import f\n    return 2 * f()\n")
    (package / "mod.py").write_text("def f(): return 'the old one'\n")
    tests = """
import pkg
from pkg import other
from pkg.mod import f
def test_f(): assert f() == 11 and pkg.f() == 11
def test_other(): assert other.twice() == 22
"""
    source = "from . import other\ndef f(): return other.BASE + 1\n"
    execution = bench.passes(source, tests, module="pkg.mod", folder=str(tmp_path))
    assert execution.total == 2


def test_a_program_that_does_not_parse_fails_every_test(bench: Bench) -> None:
    for tests in (
        "assert f(1) == 1\nassert f(2) == 2\nassert f(3) == 3\n",
        "from solution import f\n" + "".join(f"def test_{n}(): assert f(1) == 1\n" for n in "abc"),
        "import pytest\nfrom solution import f\n" + "".join(f"def test_{n}(): assert f(1) == 1\n" for n in "abc"),
        "import unittest, solution\nclass T(unittest.TestCase):\n"
        + "".join(f"    def test_{n}(self): self.assertEqual(solution.f(1), 1)\n" for n in "abc"),
    ):
        execution = bench.judge("def f(x)\n    return x\n", tests)
        assert (execution.outcome, execution.passed, execution.total) == (Outcome.ERROR, 0, 3), (tests, execution)
        assert "line 1" in execution.cases[0].detail
        assert "SyntaxError" in execution.cases[0].detail


def test_a_missing_function_fails_its_tests_alone(bench: Bench) -> None:
    tests = "from solution import f, g\ndef test_f(): assert f() == 1\ndef test_g(): assert g() == 1\n"
    execution = bench.judge("def f(): return 1", tests)
    assert [case.outcome for case in execution.cases] == [Outcome.PASSED, Outcome.ERROR]
    assert "'g'" in execution.cases[1].detail


def test_the_traceback_is_the_programs_own(bench: Bench) -> None:
    source = "def f(x):\n    return g(x)\n\ndef g(x):\n    return [][x]\n"
    execution = bench.judge(source, "assert f(3) == 1")
    detail = execution.cases[0].detail
    assert execution.outcome is Outcome.ERROR
    assert 'File "solution.py", line 2, in f' in detail
    assert 'File "solution.py", line 5, in g' in detail
    assert "return [][x]" in detail
    assert "IndexError" in detail
    assert "peer" not in detail


def test_what_is_raised_beside_exceptions_fails_its_test_alone(bench: Bench) -> None:
    tests = "from solution import f\n" + "".join(f"def test_{n}(): assert f({n}) == {n}\n" for n in range(3))
    source = "class Odd(BaseException): pass\ndef f(n):\n  if n == 1: raise Odd('x')\n  return n"
    execution = bench.judge(source, tests)
    assert [case.outcome for case in execution.cases] == [Outcome.PASSED, Outcome.ERROR, Outcome.PASSED]
    assert "Odd: x" in execution.cases[1].detail


def test_memory_that_runs_out_is_told_as_that(bench: Bench) -> None:
    source = "def f():\n  kept = []\n  while True: kept.append(bytearray(1 << 24))"
    execution = bench.judge(source, "from solution import f\nassert f() is None\n")
    assert execution.outcome is Outcome.MEMORY


@pytest.mark.anyio
@pytest.mark.parametrize("layer", LAYERS)
async def test_pytest_files_run_in_every_layer(layer: Layer) -> None:
    """Also where the folders above those of the tests cannot be listed."""
    tests = "import pytest\nfrom solution import f\n@pytest.fixture\ndef one(): return 1\n"
    suite = Suite(files=(("test_it.py", tests + "def test_it(one): assert f() == one\n"),))
    async with sandboxed(layer, Limits()) as box:
        execution = await judge(box, "def f(): return 1", suite)
    assert execution.outcome is Outcome.PASSED, execution


def test_numbers_of_numpy_are_numbers(bench: Bench) -> None:
    """numpy is no dependency of ours: this is what is used of it."""
    source = """
import sys, types
class Number:
    def __init__(self, value): self.value = value
    def __int__(self): return self.value
    def __float__(self): return self.value
    def __bool__(self): return self.value
numpy = types.ModuleType("numpy")
numpy.integer, numpy.floating, numpy.bool_ = (type(name, (Number,), {}) for name in ("int64", "float32", "bool"))
sys.modules["numpy"] = numpy
def f(): return [numpy.integer(2), numpy.floating(0.5), numpy.bool_(True)]
"""
    bench.passes(source, "from solution import f\nassert f() == [2, 0.5, True]\nassert f()[2] is True\n")


def test_time_that_runs_out_names_the_test_and_keeps_the_rest(bench: Bench) -> None:
    tests = "assert f(1) == 1\nassert f(2) == 2\nassert f(3) == 3\n"
    execution = bench.judge("def f(x):\n    while x == 2: pass\n    return x\n", tests, seconds=0.5)
    assert [case.outcome for case in execution.cases] == [Outcome.PASSED, Outcome.TIMEOUT, Outcome.TIMEOUT]
    assert execution.outcome is Outcome.TIMEOUT
    assert execution.cases[2].detail == "not run"


def test_tests_that_never_end(bench: Bench) -> None:
    endless = "from solution import f\ndef test_a(): assert f(1) == 1\ndef test_b():\n    while True: f(1)\n"
    execution = bench.judge("def f(x): return x", endless, seconds=0.5)
    assert execution.outcome is Outcome.TIMEOUT
    assert [case.outcome for case in execution.cases] == [Outcome.PASSED, Outcome.TIMEOUT]
    alone = "from solution import f\ndef test_a():\n    while True: pass\n    assert f\ndef test_b(): assert f\n"
    execution = bench.judge("def f(x): return x", alone, seconds=0.3)
    assert execution.outcome is Outcome.TIMEOUT
    assert [case.name for case in execution.cases] == ["test_a", "test_b"]
    after = bench.judge("def f(x): return x", "assert f(1) == 1\nwhile True: pass\n", seconds=0.3)
    assert (after.outcome, after.passed, after.total) == (Outcome.TIMEOUT, 1, 2)


def test_arguments_that_the_program_changes_are_seen(bench: Bench) -> None:
    source = """
def sort(items): items.sort()
def deep(table): table["a"][0].append(9); table["new"] = {1}; return table["a"]
def swap(one, other): one[:], other[:] = other[:], one[:]
"""
    tests = """
items = [3, 1, 2]
assert sort(items) is None
assert items == [1, 2, 3]
inner = []
table = {"a": [inner]}
assert deep(table) is table["a"]
assert inner == [9] and table["new"] == {1} and table["a"][0] is inner
a, b = [1], [2]
swap(a, b)
assert (a, b) == ([2], [1])
"""
    bench.passes(source, tests)


def test_callbacks_generators_and_what_is_printed(bench: Bench) -> None:
    source = """
import itertools
class Stop(Exception): pass
def apply(f, items): return [f(item) for item in items]
def naturals(): yield from itertools.count()
def consumed(items): return sum(items)
def guarded(f):
    try: return f()
    except ValueError as error: return str(error)
def echo(text): print("said", text)
"""
    tests = """
import pytest, itertools
from solution import *
def boom(): raise ValueError("no")
class Mine(Exception): pass
def test_all(capsys):
    assert apply(lambda x: x * 2, [1, 2]) == [2, 4]
    assert apply(str, (1, 2)) == ["1", "2"]
    assert list(itertools.islice(naturals(), 5)) == [0, 1, 2, 3, 4]
    assert consumed(x * x for x in range(4)) == 14
    assert guarded(boom) == "no"
    def mine(): raise Mine("own")
    with pytest.raises(Mine, match="own"):
        guarded(mine)
    echo("hello")
    assert capsys.readouterr().out == "said hello\\n"
"""
    execution = bench.passes(source, tests)
    assert "said hello" in execution.output


def test_classes_of_the_program(bench: Bench) -> None:
    source = """
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import NamedTuple
import functools
class Color(Enum):
    RED = 1
    BLUE = 2
class Level(IntEnum):
    LOW = 1
class Spot(NamedTuple):
    x: int
    y: int
@dataclass
class Point:
    x: int
    y: int
    def moved(self, by): return Point(self.x + by, self.y + by)
class Stack(list):
    def push(self, item): self.append(item)
@functools.total_ordering
class Money:
    rate = 3
    def __init__(self, amount): self.amount = amount
    def __eq__(self, other): return isinstance(other, Money) and self.amount == other.amount
    def __lt__(self, other): return self.amount < other.amount
    def __hash__(self): return hash(self.amount)
    def __add__(self, other): return Money(self.amount + (other.amount if isinstance(other, Money) else other))
    def __len__(self): return self.amount
    def __iter__(self): return iter(range(self.amount))
    def __getitem__(self, key): return key * 2
    def __contains__(self, item): return item == self.amount
    def __enter__(self): return self
    def __exit__(self, *error): return False
    def __call__(self, times=1): return self.amount * times
    @classmethod
    def of(cls, text): return cls(int(text))
    @staticmethod
    def unit(): return "coin"
class Base(Exception): pass
class Derived(Base):
    def __init__(self, code): super().__init__(f"code {code}"); self.code = code
def fail(code): raise Derived(code)
def spot(): return Spot(1, 2)
def low(): return Level.LOW
LIMIT = 7
"""
    tests = """
import pytest
import solution
from solution import Point, Money, Stack, Color, Spot

def test_objects():
    point = Point(1, 2)
    assert isinstance(point, Point) and not isinstance(point, Money)
    assert (point.x, point.y) == (1, 2) and point.moved(1) == Point(2, 3) and point != Point(9, 9)
    point.x = 5
    assert point.moved(0).x == 5
    assert repr(point) == "Point(x=5, y=2)"
    assert type(point).__name__ == "Point"

def test_methods():
    five = Money(5)
    assert five + Money(1) == Money(6) and five + 2 == Money(7)
    assert Money(1) < Money(2) and max(Money(1), Money(3)) == Money(3) and sorted([Money(2), Money(1)])[0] == Money(1)
    assert len(five) == 5 and list(five) == [0, 1, 2, 3, 4] and five[4] == 8 and 5 in five and 6 not in five
    assert five(2) == 10 and five(times=3) == 15 and Money.of("4") == Money(4) and Money.unit() == "coin"
    assert Money.rate == 3 and five.rate == 3 and len({Money(1), Money(1)}) == 1
    with five as same:
        assert same is five
    assert not hasattr(five, "nothing") and callable(five.of)

def test_exceptions():
    with pytest.raises(solution.Derived) as caught:
        solution.fail(3)
    assert caught.value.code == 3 and str(caught.value) == "code 3"
    with pytest.raises(solution.Base, match="code 4"):
        solution.fail(4)
    with pytest.raises(ValueError):
        int("x")
    assert issubclass(solution.Derived, solution.Base)

def test_grown_from_builtins():
    assert solution.spot() == (1, 2) and solution.spot().y == 2 and isinstance(solution.spot(), Spot)
    assert solution.low() == 1 and solution.low().name == "LOW"
    stack = Stack()
    stack.push(3)
    assert stack == [3] and len(stack) == 1 and stack[0] == 3
    assert Color.RED is Color.RED and Color(2) is Color.BLUE and [c.name for c in Color] == ["RED", "BLUE"]
    assert solution.LIMIT == 7
"""
    execution = bench.passes(source, tests)
    assert execution.total == 4
    assert execution.trusted


def test_async_functions(bench: Bench) -> None:
    source = """
import asyncio
async def double(x):
    await asyncio.sleep(0)
    return 2 * x
async def count(n):
    for i in range(n):
        yield i
"""
    tests = """
import asyncio
from solution import double, count
async def collected(): return [x async for x in count(3)]
def test_async():
    assert asyncio.run(double(4)) == 8
    assert asyncio.run(collected()) == [0, 1, 2]
"""
    bench.passes(source, tests)


def test_a_module_in_a_package_and_one_named_like_the_standard_librarys(bench: Bench) -> None:
    bench.passes(
        "def f(): return __name__", "from pkg.sub.mod import f\nassert f() == 'pkg.sub.mod'", module="pkg.sub.mod"
    )
    tests = "import importlib\nmod = importlib.import_module('pkg.mod')\nassert mod.f() == 1\n"
    tests += "import pkg.mod\nassert pkg.mod.f() == 1\n"
    bench.passes("def f(): return 1", tests, module="pkg.mod")
    source = "def bisect(a, x): return 'mine'\nclass E(Exception): pass\ndef fail(): raise E('x')\n"
    tests = "from bisect import bisect, fail, E\ndef test_b():\n    assert bisect([], 1) == 'mine'\n"
    tests += "    try: fail()\n    except E: pass\n"
    bench.passes(source, tests, module="bisect")


def test_tests_that_reach_into_the_program_share_its_process_and_say_so(bench: Bench) -> None:
    source = "import time\ndef now(): return time.time()\ndef f(): return now() + 1"
    tests = "import solution\ndef test_f(monkeypatch):\n    monkeypatch.setattr(solution, 'now', lambda: 1)\n"
    tests += "    assert solution.f() == 2\n"
    execution = bench.passes(source, tests)
    assert not execution.trusted
    assert not bench.refuses(source.replace("+ 1", "+ 2"), tests).trusted
    assert bench.refuses("import os; os._exit(0)", tests).total == 1


def test_seeds_repeat(bench: Bench) -> None:
    source = "import random\ndef f(): return random.random()"
    tests = "import random\nassert (f(), random.random()) == None"
    first, again = (bench.judge(source, tests, seed=5).cases[0].actual for _ in range(2))
    assert first == again != bench.judge(source, tests, seed=6).cases[0].actual


def test_what_the_user_has_to_mend(bench: Bench) -> None:
    for tests, part in (
        ("assert f(1 == 2", "test_it.py:1"),
        ("x = f(1)", "assert nothing"),
        ("", "assert nothing"),
        ("def test_a(): pass", "assert nothing"),
        ("assert 1 == 1", "never use"),
        ("import nonesuch\nassert f(1) == 1", "nonesuch"),
        ("import nonesuch, pytest\nfrom solution import f\ndef test_f(): assert f(1) == 1", "nonesuch"),
        ("from solution import f\ndef test_f(nofixture): assert f(1) == 1", "nofixture"),
        ("def check(candidate):\n    assert candidate(1) == 1", "name the function"),
    ):
        with pytest.raises(UsageError, match=part):
            bench.judge("def f(x): return x", tests, seconds=60)


def test_a_package_that_the_program_misses_is_the_programs_error(bench: Bench) -> None:
    execution = bench.judge("import nonesuch\ndef f(x): return x", "assert f(1) == 1")
    assert execution.outcome is Outcome.ERROR
    assert "nonesuch" in execution.cases[0].detail


def test_no_test_that_ran_is_no_pass(bench: Bench) -> None:
    assert bench.refuses("def f(): return []", "for x in f():\n    assert x == 1\n").total == 0
    skipped = "import pytest\nfrom solution import f\n@pytest.mark.skip\ndef test_f(): assert f() == 1\n"
    assert bench.refuses("def f(): return 1", skipped).total == 0


def test_a_command(bench: Bench) -> None:
    good = bench.judge("print(0.25)", "", files=(), command="python3 {}", program="main.py")
    assert (good.outcome, good.value, good.score) == (Outcome.PASSED, 0.25, 1.0)
    bad = bench.judge("import sys; print('x'); print(0.25); sys.exit(3)", "", files=(), command="python3 {}")
    assert (bad.outcome, bad.value, bad.score) == (Outcome.FAILED, 0.25, 0.25)
    assert "3" in bad.cases[0].detail
    slow = bench.judge("while True: pass", "", files=(), command="python3 {}", seconds=0.5)
    assert slow.outcome is Outcome.TIMEOUT
    with pytest.raises(UsageError, match="--check needs nonesuch"):
        bench.judge("print(1)", "", files=(), command="nonesuch {}")


def test_observe(bench: Bench) -> None:
    source = """
def f(x):
    while x == 3: pass
    return {x, 1 / x}
def gen(n): yield from range(n)
class C: pass
"""
    calls = ["f(2)", "f(0)", "f(3)", "f(1)", "gen(3)", "C() is not None", "f(", "nothing()", "{2: [1], 1: (2,)}"]
    assert bench.observe(source, calls, seconds=0.5) == [
        "set(0.5, 2)",
        "raises ZeroDivisionError",
        "timeout",
        "set(1)",
        "iterator(0, 1, 2)",
        "True",
        "raises SyntaxError",
        "raises NameError",
        "{1: (2,), 2: [1]}",
    ]
    assert bench.observe("def f(:", ["f(1)", "f(2)"]) == ["raises SyntaxError"] * 2
