"""The classes of unittest, each method a case; both sides of what an assert method was given are written down."""

import functools
import unittest
from collections.abc import Callable
from typing import Any

from .report import of_program, seen
from .seat import Seat

_OPERATORS = {
    "assertTrue": "true",
    "assertFalse": "false",
    "assertNotEqual": "!=",
    "assertIn": "in",
    "assertNotIn": "not in",
    "assertIs": "is",
    "assertIsNot": "is not",
    "assertLess": "<",
    "assertLessEqual": "<=",
    "assertGreater": ">",
    "assertGreaterEqual": ">=",
    "assertIsInstance": "isinstance",
}
_EQUAL = ("", "AlmostEqual", "List", "Tuple", "Dict", "Set", "Count", "Sequence", "MultiLine")
_OPERATORS |= {f"assert{kind.removesuffix('Equal')}Equal": "==" for kind in _EQUAL}


def run(seat: Seat, file: str, cases: list[type[unittest.TestCase]]) -> None:
    """Run all their tests in the order of unittest."""
    for name, op in _OPERATORS.items():
        _watch(name, op)
    loader = unittest.TestLoader()
    suite = unittest.TestSuite(loader.loadTestsFromTestCase(case) for case in cases)
    suite.run(Result(seat, file))


def _watch(name: str, op: str) -> None:
    method: Callable[..., Any] = getattr(unittest.TestCase, name)
    if hasattr(method, "__wrapped__"):
        return

    @functools.wraps(method)
    def told(self: unittest.TestCase, first: Any, *more: Any, **named: Any) -> Any:
        try:
            return method(self, first, *more, **named)
        except AssertionError as error:
            if not hasattr(error, "_refiner_seen"):
                one = op in ("true", "false")
                expected = op == "true" if one else (more[0] if more else named.get("second"))
                error.__dict__["_refiner_seen"] = seen(None, first, expected, "==" if one else op)
            raise

    setattr(unittest.TestCase, name, told)


class Result(unittest.TestResult):
    """Passes on what becomes of each test."""

    def __init__(self, seat: Seat, file: str) -> None:
        super().__init__()
        self._seat, self._file = seat, file
        self._spoilt: set[str] = set()
        self._asked = 0

    def startTest(self, test: unittest.TestCase) -> None:  # noqa: N802
        super().startTest(test)
        self._asked = self._seat.asked
        self._seat.report.starts(_name(test), None)

    def addSuccess(self, test: unittest.TestCase) -> None:  # noqa: N802
        if test.id() not in self._spoilt:
            self._seat.report.passes(_name(test), _line(test), self._file)

    def addError(self, test: unittest.TestCase, err: Any) -> None:  # noqa: N802
        self._fail(test, err)

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:  # noqa: N802
        self._fail(test, err)

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: Any) -> None:  # noqa: N802
        if err is not None:
            self._spoilt.add(test.id())
            self._fail(test, err)

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:  # noqa: N802
        if self._seat.asked > self._asked:
            self._fail(test, (RuntimeError, RuntimeError(f"skipped after the program had run: {reason}"), None))

    def addExpectedFailure(self, test: unittest.TestCase, err: Any) -> None:  # noqa: N802
        pass

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:  # noqa: N802
        self._fail(test, (AssertionError, AssertionError("succeeds, though it is expected to fail"), None))

    def _fail(self, test: unittest.TestCase, err: Any) -> None:
        error: BaseException = err[1]
        if isinstance(error, ModuleNotFoundError) and not of_program(error):
            raise error
        self._seat.report.fails(_name(test), error, self._file, _line(test))


def _name(test: unittest.TestCase) -> str:
    return ".".join(test.id().split(".")[-2:])


def _line(test: unittest.TestCase) -> int | None:
    method = getattr(test, getattr(test, "_testMethodName", ""), None)
    code = getattr(method, "__code__", None)
    return code.co_firstlineno if code is not None else None
