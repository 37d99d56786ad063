"""What became of each test, on its way out."""

import json
import textwrap
import traceback
from collections.abc import Callable
from typing import Any, NamedTuple

from . import mirror
from .closeness import closeness
from .peer import Gone

MOST_CASES = 5000
_VALUE, _DETAIL = 400, 4000

PASSED, FAILED, ERROR, MEMORY = "passed", "failed", "error", "memory"


class UnmetError(Exception):
    """Something that the tests want and the user has to bring."""


class Seen(NamedTuple):
    """The two sides of an assertion that failed, as they were then, and its first and last line."""

    lines: tuple[int, int] | None
    actual: str | None = None
    expected: str | None = None
    closeness: float = 0.0


def seen(lines: tuple[int, int] | None, actual: Any, expected: Any, op: str = "==") -> Seen:
    """Write down both sides of `actual op expected`."""
    if op == "==" and type(expected).__name__.startswith("Approx") and hasattr(expected, "expected"):
        near = closeness(actual, expected.expected)
    else:
        near = closeness(actual, expected) if op in ("==", "is") else 0.0
    return Seen(lines, shown(actual), shown(expected) if op == "==" else f"{op} {shown(expected)}", near)


def shown(value: Any) -> str:
    """A literal, cut to a readable length."""
    try:
        text = repr(value)
    except (Exception, Gone):  # noqa: BLE001
        text = f"<{type(value).__name__}>"
    return cut(text, _VALUE)


def cut(text: str, most: int) -> str:
    """The beginning and the end of a text."""
    return text if len(text) <= most else f"{text[: most * 2 // 3]} … {text[-(most // 3) :]}"


class Report:
    """Sends the cases out as they come. files: name → lines of the tests, for the source of a line."""

    def __init__(self, send: Callable[[bytes], None], files: dict[str, list[str]]) -> None:
        self._send, self._files = send, files
        self._names: dict[str, int] = {}
        self.lost: Gone | None = None
        self._told_lost = False
        self.called: Callable[[], str] = lambda: ""
        self.sent = self.failed = 0

    def add(self, file: str, text: str) -> None:
        """One more name for a file."""
        self._files[file] = text.splitlines()

    def starts(self, name: str, line: int | None) -> None:
        """Say which test runs now."""
        self._send(b"S" + json.dumps({"name": name, "line": line}).encode())

    def passes(self, name: str, line: int | None, file: str = "") -> None:
        """Say that a test passed: not one that met a program that is not there, whatever it made of that."""
        if self.lost is None:
            self._case(name, PASSED, line)
        else:
            self.fails(name, self.lost, file, line)

    def fails(
        self,
        name: str,
        error: BaseException,
        file: str,
        line: int | None,
        *,
        statement: tuple[int, int] | None = None,
    ) -> None:
        """Say what a test ended with; `line` is where it begins, `statement` all of it, where it is one."""
        gone = error if isinstance(error, Gone) else self.lost
        if gone is not None:
            detail = "not run" if self._told_lost else gone.detail
            self._told_lost = not gone.passing
            self.lost = None if gone.passing else gone
            self._case(name, gone.outcome, line, detail=detail, file=file)
            return
        if isinstance(error, KeyboardInterrupt | SystemExit) and not of_program(error):
            error = RuntimeError(f"the tests raised {type(error).__name__}")
        found = getattr(error, "_refiner_seen", None)
        spot = found if isinstance(found, Seen) else Seen(None)
        spot = spot._replace(lines=statement or spot.lines or _lines(error, file))
        theirs = of_program(error)
        outcome = FAILED if isinstance(error, AssertionError) and not theirs else ERROR
        if isinstance(error, MemoryError) and theirs:
            outcome = MEMORY
        detail = getattr(error, "_refiner_trace", "") if theirs else _told(error)
        called = self.called()
        self._case(
            name,
            outcome,
            line,
            detail="\n".join(part for part in (detail.strip(), called and f"called: {called}") if part),
            file=file,
            spot=spot,
        )

    def _case(
        self, name: str, outcome: str, line: int | None, *, detail: str = "", file: str = "", spot: Seen | None = None
    ) -> None:
        if outcome == PASSED and self.sent > MOST_CASES:
            return
        self.sent += 1
        self.failed += outcome != PASSED
        self._names[name] = count = self._names.get(name, 0) + 1
        told: dict[str, Any] = {"name": name if count == 1 else f"{name} #{count}", "outcome": outcome, "line": line}
        if outcome != PASSED:
            told["detail"] = cut(detail, _DETAIL)
            if spot is not None:
                told |= {"actual": spot.actual, "expected": spot.expected, "closeness": spot.closeness}
            lines = (spot.lines if spot is not None else None) or (line and (line, line))
            if lines:
                told |= {"line": lines[0], "source": self.source(file, *lines)}
        self._send(b"C" + json.dumps(told).encode())

    def source(self, file: str, first: int, last: int) -> str:
        """These lines of a file, without what they are all indented by, cut."""
        return cut(textwrap.dedent("\n".join(self._files.get(file, [])[first - 1 : last])).strip(), _VALUE)


def of_program(error: BaseException) -> bool:
    """Whether it came over the channel."""
    return isinstance(error.__dict__.get("_refiner_link"), mirror.Link)


def _lines(error: BaseException, file: str) -> tuple[int, int] | None:
    found = [line for frame, line in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename == file]
    return (found[-1], found[-1]) if found else None


def _told(error: BaseException) -> str:
    try:
        text = "".join(traceback.format_exception_only(type(error), error)).strip()
    except Exception:  # noqa: BLE001
        text = type(error).__name__
    return text if text != "AssertionError" else ""
