"""Test files that need pytest: run by it, each test told as a case."""

import builtins
import os
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from .folder import FOLDER, written
from .peer import Gone
from .report import Seen, UnmetError, of_program, seen
from .seat import Seat

_WITHOUT = "cacheprovider terminal junitxml pastebin doctest faulthandler stepwise setuponly setupplan logging"


def run(seat: Seat) -> None:
    """Write the files down, and let pytest run them."""
    root = written(seat.told["files"])
    for name, text in seat.told["files"]:
        seat.report.add(str(root / name), text)
    paths = [str(root / name) for name in seat.told["tests"]]
    options = [part for name in _WITHOUT.split() for part in ("-p", f"no:{name}")]
    if not seat.told["plugins"]:
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    sys.dont_write_bytecode = True
    vars(builtins).update(seat.given())
    watcher = Watcher(seat)
    try:
        pytest.main(
            [
                "-c",
                os.devnull,
                f"--rootdir={root}",
                f"--confcutdir={root}",
                "--capture=no",
                "--continue-on-collection-errors",
                "-W",
                "ignore",
                *options,
                *paths,
            ],
            plugins=[watcher],
        )
    except SystemExit as error:
        seat.report.fails("tests", error, "", None)
    if watcher.missing is not None:
        raise watcher.missing
    if not watcher.finished and not seat.report.failed:
        seat.report.fails("tests", watcher.trouble or RuntimeError("pytest did not run all tests"), "", None)


class Watcher:
    """A plugin that tells each test's outcome."""

    def __init__(self, seat: Seat) -> None:
        self._seat = seat
        self._compared: tuple[str, Any, Any] | None = None
        self._error: BaseException | None = None
        self._left_out = False
        self._asked = 0
        self._items = self._ended = 0
        self.trouble: BaseException | None = None
        self.missing: Exception | None = None
        self._collected = False

    @property
    def finished(self) -> bool:
        """Whether every test that was found has come to its end."""
        return self._collected and self._ended == self._items and self.trouble is None

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._collected, self._items = True, len(session.items)

    def pytest_internalerror(self, excrepr: Any, excinfo: Any) -> None:
        self.trouble = excinfo.value

    def pytest_keyboard_interrupt(self, excinfo: Any) -> None:
        self.trouble = RuntimeError(f"the tests were interrupted: {excinfo.value!r}")

    def pytest_exception_interact(self, node: Any, call: Any, report: Any) -> None:
        if not isinstance(report, pytest.CollectReport):
            return
        error = _cause(call.excinfo.value)
        if isinstance(error, ModuleNotFoundError) and not of_program(error):
            self.missing = error
            return
        path = str(getattr(node, "path", ""))
        if not isinstance(error, Gone) and not of_program(error):
            error = RuntimeError(str(report.longrepr))
        self._seat.report.fails(node.nodeid or "tests", error, path, None)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self, nodeid: str, location: tuple[str, int | None, str]) -> None:
        self._compared = self._error = None
        self._left_out = False
        self._asked = self._seat.asked
        self._seat.report.starts(location[2], None if location[1] is None else location[1] + 1)

    def pytest_assertrepr_compare(self, config: Any, op: str, left: Any, right: Any) -> None:
        self._compared = (op, left, right)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: Any) -> Generator[None, Any, Any]:
        report = yield
        if report.outcome == "skipped" or hasattr(report, "wasxfail"):
            self._left_out = True
            if self._seat.asked > self._asked and not hasattr(report, "wasxfail"):
                self._error = self._error or RuntimeError("skipped after the program had run")
        elif call.excinfo is not None:
            error = call.excinfo.value
            if isinstance(error, AssertionError) and self._compared is not None and not of_program(error):
                op, left, right = self._compared
                if not isinstance(error.__dict__.get("_refiner_seen"), Seen):
                    error.__dict__["_refiner_seen"] = seen(None, left, right, op)
            if isinstance(error, ModuleNotFoundError) and not of_program(error):
                self.missing = error
            if isinstance(error, pytest.FixtureLookupError):
                self.missing = UnmetError(f"the fixture {error.argname}")
            self._error = self._error or error
        elif report.outcome == "failed":
            self._error = self._error or AssertionError("succeeds, though it is expected to fail")
        return report

    def pytest_runtest_logfinish(self, nodeid: str, location: tuple[str, int | None, str]) -> None:
        self._ended += 1
        line = None if location[1] is None else location[1] + 1
        path = str(Path.cwd() / FOLDER / location[0])
        if self._error is not None:
            self._seat.report.fails(location[2], self._error, path, line)
        elif not self._left_out:
            self._seat.report.passes(location[2], line, path)


def _cause(error: BaseException) -> BaseException:
    """What a module's import really failed with: pytest wraps it."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error
