"""What instrumented tests call: it runs their comparisons, and remembers both sides of the last."""

import operator
from collections.abc import Callable
from typing import Any

from .report import MOST_CASES, Report, of_program, seen

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "is": operator.is_,
    "is not": operator.is_not,
    "in": lambda left, right: left in right,
    "not in": lambda left, right: left not in right,
}


class Halt(BaseException):
    """There are too many steps, or no more to learn."""


class Checks:
    """The hooks of one test file."""

    def __init__(self, report: Report, file: str) -> None:
        self.report, self.file = report, file
        self._last: tuple[Any, Any, str] | None = None
        self._kept: dict[str, tuple[Any, Any, str]] = {}
        self.steps = 0

    def compared(self, left: Any, right: Any, op: str) -> Any:
        self._last = (left, right, op)
        return _OPERATORS[op](left, right)

    def near(self, distance: Any, left: Any, right: Any, most: Any, op: str) -> Any:
        self._last = (left, right, "==")
        return _OPERATORS[op](distance(left - right), most)

    def paired(self, check: Any, left: Any, right: Any, *more: Any, **named: Any) -> Any:
        self._last = (left, right, "==")
        return check(left, right, *more, **named)

    def kept(self, name: str, left: Any, right: Any, op: str) -> Any:
        self._kept[name] = (left, right, op)
        return _OPERATORS[op](left, right)

    def true(self, value: Any, name: str) -> Any:
        self._last = self._kept.get(name) or (value, True, "==")
        return value

    def failed(self, line: int, end: int, *message: Any) -> AssertionError:
        """The exception of an assertion that did not hold."""
        error = AssertionError(*message)
        left, right, op = self._last or (None, True, "==")
        error.__dict__["_refiner_seen"] = seen((line, end), left, right, op)
        return error

    def step(self, line: int, end: int, case: bool) -> "Step":
        self.steps += 1
        if self.report.failed > MOST_CASES or (self.report.lost is not None and self.steps > 2 * MOST_CASES):
            raise Halt
        return Step(self, (line, end), case)


class Step:
    """A statement whose failure does not end the file."""

    def __init__(self, checks: Checks, lines: tuple[int, int], case: bool) -> None:
        self._checks, self._lines, self._case = checks, lines, case

    def __enter__(self) -> None:
        self._checks._last = None  # noqa: SLF001

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        report, name = self._checks.report, f"line {self._lines[0]}"
        if error is None:
            if self._case:
                report.passes(name, self._lines[0], self._checks.file)
            return False
        if isinstance(error, Halt | ModuleNotFoundError | SystemExit) and not of_program(error):
            return False
        report.fails(name, error, self._checks.file, self._lines[0], statement=self._lines)
        return True
