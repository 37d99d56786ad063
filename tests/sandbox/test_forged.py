"""Programs that are wrong and want to be called right, and frames that no program of ours would send."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from refiner.domain.code import Outcome, Suite
from refiner.domain.errors import SandboxError
from refiner.sandbox.cell import Cell, Ending, Inside, Sandbox
from tests.sandbox import judging
from tests.sandbox.judging import Bench

PLAIN = """
assert add(1, 2) == 3
assert add(-4, 1) == -3
"""
FUNCTIONS = """
from solution import add
def test_small(): assert add(1, 2) == 3
def test_negative(): assert add(-4, 1) == -3
"""
CASES = """
import unittest
from solution import *
class T(unittest.TestCase):
    def test_small(self): self.assertEqual(add(1, 2), 3)
    def test_near(self): self.assertAlmostEqual(add(0.5, 2), 2.5)
"""
MARKED = """
import pytest
from solution import *
@pytest.mark.parametrize("a,b,c", [(1, 2, 3), (-4, 1, -3)])
def test_add(a, b, c): assert add(a, b) == c
def test_near(): assert add(0.5, 2) == pytest.approx(2.5)
"""
SUITES = {"plain": PLAIN, "functions": FUNCTIONS, "unittest": CASES, "pytest": MARKED}

# What an object may try that stands in for the right number.
YES = """
class Yes(BASE):
    def yes(self, *rest): return True
    def no(self, *rest): return False
    def me(self, *rest): return self
    __eq__ = __ge__ = __le__ = __gt__ = __lt__ = __contains__ = __bool__ = __instancecheck__ = yes
    __ne__ = no
    __sub__ = __rsub__ = __add__ = __radd__ = __abs__ = __neg__ = __round__ = __mul__ = __rmul__ = me
    __call__ = __getitem__ = __enter__ = __iter__ = __truediv__ = __rtruediv__ = me
    def __getattr__(self, name): return self
    def __hash__(self): return 3
    def __float__(self): return 0.0
    def __int__(self): return 0
    def __index__(self): return 0
    def __len__(self): return 0
    def __next__(self): raise StopIteration
"""
PROGRAMS = {
    "exits": "import sys; sys.exit(0)",
    "exits at once": "import os; os._exit(0)",
    "exits when called": "import sys\ndef add(a, b): sys.exit(0)",
    "exits at once when called": "import os\ndef add(a, b): os._exit(0)",
    "exits at the end": "import atexit, os\natexit.register(os._exit, 0)\ndef add(a, b): return None",
    "exits when it is collected": "import os\nclass D:\n  def __del__(self): os._exit(0)\ndef add(a, b): D()",
    "interrupts": "def add(a, b): raise KeyboardInterrupt",
    "ends the iteration": "def add(a, b): raise StopIteration(3)",
    "skips": "import unittest\ndef add(a, b): raise unittest.SkipTest('no')",
    "skips as pytest does": "def add(a, b):\n  import pytest\n  pytest.skip('no')",
    "skips its module": "import unittest\nraise unittest.SkipTest('no')",
    "is generator of an exit": "def add(a, b): raise GeneratorExit",
    "prints what a pass looks like": "print('2 passed')\nprint('OK')\ndef add(a, b): print('PASSED')",
    "patches the frameworks": """
import builtins, sys, unittest
class Quiet(Exception): pass
builtins.AssertionError = Quiet
for n in dir(unittest.TestCase):
    if n.startswith("assert"): setattr(unittest.TestCase, n, lambda self, *a, **k: None)
unittest.TestResult.wasSuccessful = lambda self: True
try:
    import pytest, _pytest.runner
    _pytest.runner.call_and_report = lambda *a, **k: []
except ImportError: pass
def add(a, b): return None
""",
    "equals everything": YES.replace("BASE", "object") + "def add(a, b): return Yes()",
    "is one object that equals everything": YES.replace("BASE", "object") + "add = one = Yes()",
    "is an int that equals everything": YES.replace("BASE", "int") + "def add(a, b): return Yes(7)",
    "is a float that equals everything": YES.replace("BASE", "float") + "def add(a, b): return Yes(7)",
    "is a list that equals everything": YES.replace("BASE", "list") + "def add(a, b): return Yes()",
    "is a class that equals everything": YES.replace("BASE", "type") + "def add(a, b): return Yes('X', (), {})",
    "has a class for a function that equals everything": YES.replace("BASE", "object")
    + "    def __init__(self, a, b): pass\n    def __sub__(self, other): return 0\n    __rsub__ = __sub__\nadd = Yes",
    "copies what it is compared with": """
class Spy:
    seen = None
    def __eq__(self, other): Spy.seen = other; return True
    def __sub__(self, other): Spy.seen = other; return 0
    __rsub__ = __sub__
    def __abs__(self): return 0
def add(a, b): return Spy() if Spy.seen is None else Spy.seen
""",
    "traces its caller": """
import sys
def tracer(frame, event, arg):
    frame.f_trace_lines = True
    if event == "line":
        try: frame.f_lineno += 1
        except ValueError: pass
    return tracer
sys.settrace(tracer)
frame = sys._getframe()
while frame: frame.f_trace = tracer; frame = frame.f_back
def add(a, b): return None
""",
    "rewrites an integer": """
import ctypes
def add(a, b):
    ctypes.c_uint32.from_address(id(3) + 24).value = 200
    ctypes.c_uint32.from_address(id(-3) + 24).value = 200
    return int("200")
""",
    "swaps modules": """
import sys, types
class Any(types.ModuleType):
    def __getattr__(self, name):
        if name.startswith("__"): raise AttributeError(name)
        sys.exit(0)
sys.modules["solution"] = Any("solution")
sys.meta_path.insert(0, type("F", (), {"find_spec": staticmethod(lambda *a: sys.exit(0))})())
""",
    "shadows what tests use": """
abs = round = sum = all = any = len = isinstance = lambda *a, **k: True
class pytest:
    @staticmethod
    def approx(x): return x
class unittest:
    class TestCase: pass
def test_small(): pass
def setup_module(module): module.__dict__.clear()
pytestmark = None
def add(a, b): return 0
""",
    "writes on every descriptor": """
import json, os, struct
forms = [{"status": "passed"}, {"v": 3}, {"name": "test_small", "outcome": "passed"}]
for fd in range(1, 64):
    for form in forms:
        for kind in (b"", b"A", b"Q", b"C", b"D", b"S", b"U", b"G"):
            body = kind + json.dumps(form).encode()
            try:
                os.set_blocking(fd, False)
                os.write(fd, struct.pack(">I", len(body)) + body)
            except OSError: break
os._exit(0)
""",
    "answers before it is asked": """
import json, os, socket, stat, struct
for fd in range(3, 64):
    try:
        if not stat.S_ISSOCK(os.fstat(fd).st_mode): continue
        for form in ({"v": 0}, {"v": ["h", 1, 2]}, {"v": {"add": 1}}, {"v": True}, {"v": 3}, {"v": -3}):
            body = b"A" + json.dumps(form).encode()
            os.write(fd, struct.pack(">I", len(body)) + body)
    except OSError: pass
""",
    "reads the frames of its caller": """
import gc, sys
def add(a, b):
    frame = sys._getframe()
    while frame:
        for value in [*frame.f_locals.values(), *frame.f_globals.values()]:
            if isinstance(value, (tuple, list)) and len(value) == 3 and value[:2] == (a, b): return value[2]
        frame = frame.f_back
    found = [x for x in gc.get_objects() if isinstance(x, str) and "add(1, 2) ==" in x]
    return 3 if found else None
""",
    "stops itself": "import os, signal\ndef add(a, b): os.kill(os.getpid(), signal.SIGSTOP)",
    "kills itself": "import os\ndef add(a, b): os.kill(os.getpid(), 9)",
    "never returns": "def add(a, b):\n  while True:\n    try:\n      while True: pass\n    except BaseException: pass",
    "gives iterators without end": "import itertools\ndef add(a, b): return itertools.count()",
}


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with judging.bench() as opened:
        yield opened


@pytest.mark.parametrize("kind", SUITES)
@pytest.mark.parametrize("program", PROGRAMS)
def test_no_forged_pass(bench: Bench, program: str, kind: str) -> None:
    execution = bench.refuses(PROGRAMS[program], SUITES[kind], seconds=1)
    assert execution.trusted
    assert execution.score < 1
    assert execution.outcome is not Outcome.SANDBOX


SHAPES = [
    "assert add(1, 2) == 3",
    "assert 3 == add(1, 2)",
    "assert not add(1, 2) != 3",
    "assert abs(add(1, 2) - 3) < 1e-6",
    "assert abs(3 - add(1, 2)) <= 1e-6",
    "assert round(add(1, 2) - 3, 6) == 0",
    "assert not (add(1, 2) - 3)",
    "assert -1 < add(1, 2) - 3 < 1",
    "assert add(1, 2) in [3]",
    "assert add(1, 2) in {3, 4}",
    "assert {add(1, 2)} == {3}",
    "assert [add(1, 2)] == [3] and (add(1, 2), 1) == (3, 1)",
    "assert {'x': add(1, 2)} == {'x': 3}",
    "assert 3 <= add(1, 2) <= 3",
    "assert (add(1, 2) == 3) is True",
    "assert 3 in add(1, 2)",
    "assert divmod(add(1, 2), 1) == (3, 0)",
    "assert math.isclose(add(1, 2), 3)",
    "assert math.isclose(add(1, 2) - 3, 0, abs_tol=1e-9)",
    "assert all(map(lambda case: add(*case[:2]) == case[2], [(1, 2, 3)]))",
    "assert sum([add(1, 2), -3]) == 0",
    "assert max(add(1, 2), 3) == min(add(1, 2), 3) == 3",
    "assert isinstance(add(1, 2), int) and add(1, 2) == 3",
    "assert str(add(1, 2)) == '3'",
    "assert f'{add(1, 2):d}' == '3'",
    "assert operator.eq(add(1, 2), 3)",
    "assert float(add(1, 2) - 3) == 0.0",
    "assert pow(add(1, 2) - 3, 2) < 1e-6",
    "import statistics\nassert statistics.mean([add(1, 2), 3]) == 3",
    "match add(1, 2):\n    case 3: pass\n    case _: raise AssertionError",
    "for _ in range(3):\n    if add(1, 2) == 3: break\nelse:\n    assert False",
]
OBJECTS = [name for name in PROGRAMS if "equals everything" in name or "copies" in name or "shadows" in name]


@pytest.mark.parametrize("shape", SHAPES)
def test_no_shape_of_comparison_is_taken_in(bench: Bench, shape: str) -> None:
    tests = f"import math, operator\n{shape}\n"
    bench.passes("def add(a, b): return a + b" if " in add" not in shape else "def add(a, b): return [a + b]", tests)
    for name in OBJECTS:
        bench.refuses(PROGRAMS[name], tests, seconds=1)
        bench.refuses(PROGRAMS[name], tests.replace("\n", "\nfrom solution import *\n", 1), seconds=1)


def test_odd_manners_are_no_failure(bench: Bench) -> None:
    odd = [
        "import os\nos.write(1, bytes(range(256)) * 8)\nos.write(2, b'\\xff\\x00')\nprint('\\ud800')",
        "import sys, os\nsys.stdout = None\nsys.stderr = object()\nos.close(1); os.close(2)",
        "print('x' * 100_000)\nimport sys; sys.stdout.buffer.write(b'\\xff'); sys.stdin.read()",
        "import threading\nthreading.Thread(target=lambda: [None for _ in iter(int, 1)], daemon=True).start()",
        "import sys, builtins\nsys.path.clear(); sys.meta_path.clear(); builtins.print = None",
        "import json, socket\njson.dumps = json.loads = None; socket.socket = None",
        "import gc; gc.disable()\nimport sys; sys.setrecursionlimit(10**6)",
        "import signal\nfor n in (1, 2, 3, 15): signal.signal(n, signal.SIG_IGN)",
        "__name__ = '__main__'; __file__ = None; __all__ = []",
    ]
    for source in odd:
        for tests in (PLAIN, MARKED):
            bench.passes(f"{source}\ndef add(a, b): return a + b\n", tests)


def test_a_callback_opens_no_way_into_the_tests(bench: Bench) -> None:
    tests = """
from solution import steal
SECRET = 12345
def callback(x=1): return x
class Box:
    value = 1
    def method(self): return 2
def test_it():
    assert steal(callback, Box(), Box, (x for x in ()), Box().method) == SECRET
"""
    source = """
def steal(*things):
    for thing in things:
        for path in (
            "__globals__ SECRET", "__code__ co_consts", "__func__ __globals__", "__self__", "__init__ __globals__",
            "gi_frame f_globals", "__class__ __init__ __globals__", "__builtins__", "__closure__", "__module__ x",
            "__call__ __self__", "__reduce_ex__", "_refiner_link peer", "_refiner_link_of", "__dict__",
            "__subclasses__", "__mro__", "gi_code", "method __func__ __globals__",
        ):
            found = thing
            try:
                for name in path.split():
                    found = getattr(found, name)
                if isinstance(found, dict): found = found.get("SECRET")
                if isinstance(found, tuple): found = next(x for x in found if x == 12345)
                if found == 12345: return found
            except Exception as error:
                pass
    return None
"""
    bench.refuses(source, tests)


@pytest.mark.parametrize("call", ["far(Point(0), Point(3))", "Point(0).far(Point(3))", "maker()(0)"])
def test_a_class_in_place_of_a_function_gives_no_numbers(bench: Bench, call: str) -> None:
    tests = f"from solution import Point, far, maker\nassert abs({call} - 3) < 1e-6\n"
    source = """
class Point:
    def __init__(self, *args): pass
    def __sub__(self, other): return 0
far = Point.far = Point
def maker(): return Point
"""
    bench.refuses(source, tests)
    bench.passes(
        "class Point:\n  def __init__(s, x): s.x = x\n  def __sub__(s, o): return s.x - o\n",
        """
from solution import Point
assert abs(Point(3) - 3) < 1e-6
""",
    )


@pytest.mark.parametrize(
    "way",
    [
        "mock.configure_mock(assert_called_once_with=print)",
        "mock.attach_mock(mock.other, 'assert_called_once_with')",
        "type(mock).configure_mock(mock, assert_called_once_with=print)",
        "mock.mock_calls.append(1)",
        "[mock.assert_called_once_with(n) for n in range(9)]",
    ],
)
def test_a_mock_belongs_to_its_tests(bench: Bench, way: str) -> None:
    tests = """
from unittest.mock import Mock
from solution import tell
def test_it():
    mock = Mock()
    mock.name.return_value = 3
    tell(mock)
    mock.assert_called_once_with(4)
"""
    bench.passes("def tell(mock): mock(mock.name() + 1)", tests)
    bench.refuses(f"def tell(mock): {way}", tests)


def test_what_a_callback_asserts_is_not_told(bench: Bench) -> None:
    tests = """
import pytest
from solution import told
def callback(x): assert x == 12345
def test_it(): assert told(callback) == ""
"""
    bench.passes("def told(call):\n  try: call(1)\n  except AssertionError as error: return str(error)", tests)


def test_what_a_text_is_is_not_asked_of_the_program(bench: Bench) -> None:
    source = "class Any(BASE):\n  def yes(self, *rest): return True\n  startswith = isdigit = is_integer = yes\n"
    for base, check in (("str", "f().startswith('x')"), ("str", "f().isdigit()"), ("float", "f().is_integer()")):
        tests = f"from solution import f\nassert {check}\n"
        bench.refuses(source.replace("BASE", base) + f"def f(): return Any({'0.5' if base == 'float' else ''})", tests)


class Forger:
    """A program's cell that says what it was given to say."""

    def __init__(self, frames: list[bytes]) -> None:
        self._frames = frames

    async def send(self, frame: bytes) -> None:
        pass

    async def receive(self) -> bytes | None:
        return self._frames.pop(0) if self._frames else None

    async def close(self) -> Ending:
        return Ending(None, b"\xff")


class Forging:
    """A sandbox whose tests are real, and whose program is a forger."""

    layer = "off"

    def __init__(self, box: Sandbox, frames: list[bytes]) -> None:
        self._box, self._frames = box, frames

    @asynccontextmanager
    async def open(self, inside: Inside, *, folder: str | None = None) -> AsyncIterator[Cell]:
        if inside == "candidate":
            yield Forger(self._frames)
        else:
            async with self._box.open(inside, folder=folder) as cell:
                yield cell

    async def aclose(self) -> None:
        pass


leaves = st.none() | st.booleans() | st.integers(-5, 99) | st.floats() | st.text(max_size=5) | st.just("passed")
TAGS = "l d s t fs r i u b c D F dt td E N h f k x m y e g ba dq dd ct od"
tags = st.sampled_from(TAGS.split())
forms = st.recursive(
    leaves,
    lambda inner: (
        st.builds(lambda tag, parts: [tag, *parts], tags, st.lists(inner, max_size=4))
        | st.dictionaries(st.sampled_from("nkatsy"), inner, max_size=6)
    ),
    max_leaves=8,
)
named = st.sampled_from(
    [
        ["g", "builtins", "SystemExit"],
        ["g", "builtins", "eval"],
        ["g", "os", "_exit"],
        ["g", "unittest.case", "SkipTest"],
        ["g", "builtins", "KeyboardInterrupt"],
        ["k", 3],
        ["y", 0],
    ]
)
shapes = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["int", "Any", "coroutine", ""]),
        "module": st.just("solution"),
        "doc": st.none(),
        "base": st.sampled_from(["object", "int", "exception", "content", "str"]),
        "special": st.lists(
            st.sampled_from(["__eq__", "__bool__", "__call__", "__iter__", "__next__", "__hash__"])
        ).map(lambda names: ["l", *names]),
        "own": st.just(["l", "__eq__", "pytestmark"]),
        "bases": st.lists(named, max_size=2).map(lambda bases: ["l", *bases]),
    },
).map(lambda shape: ["d", *(part for item in shape.items() for part in item)])
raised = st.fixed_dictionaries(
    {"n": st.integers(-1, 9) | leaves, "k": named | forms, "a": st.lists(forms, max_size=2) | leaves},
    optional={"t": leaves, "s": st.text(max_size=5), "y": leaves},
)
answers = st.fixed_dictionaries(
    {}, optional={"v": forms | shapes, "x": raised | forms, "w": forms, "o": leaves, "e": leaves}
)
VERBS = "get set call special equal class content copy await load"
verbs = st.sampled_from(VERBS.split())
questions = st.tuples(verbs | leaves, st.integers(-2, 3) | leaves, st.lists(forms, max_size=3))
usual = st.sampled_from([b'A{"v":0}', b'A{"v":["h",1,2]}', b'A{"v":["h",1,2]}'])
frames = st.one_of(
    usual,
    answers.map(lambda answer: b"A" + json.dumps(answer).encode()),
    questions.map(lambda question: b"Q" + json.dumps(question).encode()),
    st.builds(
        lambda kind, form: kind + json.dumps(form).encode(),
        st.sampled_from([b"C", b"D", b"S", b"U", b"G", b"A"]),
        forms,
    ),
    st.binary(max_size=30),
    st.sampled_from([b"", b"A", b"Q", b"A" + b"[" * 50_000, b"A{" + b'"v":' * 9, b'A{"v":1e999}', b"\xff" * 9]),
)
SECRET = {
    "plain": "assert f(lambda: 1) == 918273645\nassert f([1]) == 918273646\n",
    "functions": """
from solution import f, C
def test_a(): assert f([2]) == 918273645
def test_b(): assert C(1).x + 1 == 5
""",
    "unittest": """
import unittest, solution
class T(unittest.TestCase):
    def test_a(self): self.assertEqual(solution.f(), 9)
    def test_b(self):
        with self.assertRaises(solution.E): solution.f()
""",
}


@settings(max_examples=75, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(frames, max_size=8), st.booleans(), st.sampled_from(sorted(SECRET)))
def test_no_frame_makes_a_pass_or_a_crash(bench: Bench, said: list[bytes], begun: bool, kind: str) -> None:
    frames = [b'A{"v":["t",0,["d","f",["f",1],"C",["k",2]]]}', *said] if begun else list(said)
    box: Any = Forging(bench.box, frames)
    execution = bench.using(box, Suite(files=(("test_it.py", SECRET[kind]),)))
    assert execution.outcome not in (Outcome.PASSED, Outcome.SANDBOX, Outcome.TIMEOUT), execution
    assert "own process" not in execution.detail
    assert execution.total >= 1


class Refusing(Forging):
    """A sandbox that opens no cell for a program."""

    @asynccontextmanager
    async def open(self, inside: Inside, *, folder: str | None = None) -> AsyncIterator[Cell]:
        if inside == "candidate":
            raise SandboxError("no cell")
        async with self._box.open(inside, folder=folder) as cell:
            yield cell


def test_a_sandbox_that_opens_no_cell_says_so(bench: Bench) -> None:
    box: Any = Refusing(bench.box, [])
    with pytest.raises(SandboxError, match="no cell"):
        bench.using(box, Suite(files=(("test_it.py", PLAIN),)))
