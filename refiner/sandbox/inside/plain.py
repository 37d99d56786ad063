"""Tests that need no framework: assertions in the file, `check(candidate)`, test functions, and unittest's classes."""

import base64
import inspect
import linecache
import marshal
import sys
import types
from pathlib import PurePosixPath
from typing import Any

from .asserts import HOOK, compiled
from .checks import Checks, Halt
from .folder import written
from .report import of_program
from .seat import Seat


def run(seat: Seat) -> None:
    """Run each file. Raises ModuleNotFoundError for a package that is not there."""
    files = seat.told["files"]
    root = ""
    if len(files) > 1:
        root = f"{written(files)}/"
        sys.path[:0] = list(dict.fromkeys(str(PurePosixPath(root + name).parent) for name, _ in files))
    for name, text in files:
        if name in seat.told["tests"]:
            _run(seat, name, text, root)


def _run(seat: Seat, name: str, text: str, root: str) -> None:
    entry = seat.told["entry"]
    ready = seat.told.get("code", {}).get(name)
    code = marshal.loads(base64.b64decode(ready)) if ready is not None else compiled(text, name, entry is not None)
    stem = name.rpartition("/")[2].removesuffix(".py")
    module = types.ModuleType("__main__" if name in seat.told["main"] else stem)
    sys.modules[stem] = module
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    checks = Checks(seat.report, name)
    space = module.__dict__
    space["__file__"] = root + name
    space[HOOK] = checks
    try:
        space.update(seat.given())
        exec(code, space)
        if entry and "check" in space:
            line = space["check"].__code__.co_firstlineno
            with checks.step(line, line, False):
                space["check"](space.get(entry) if entry in space else getattr(seat.imported(), entry))
    except Halt:
        return
    except ModuleNotFoundError as error:
        if of_program(error):
            seat.report.fails(name, error, name, None)
            return
        raise
    except SystemExit as error:
        if of_program(error) or error.code:
            seat.report.fails(name, error, name, None)
    except BaseException as error:  # noqa: BLE001
        seat.report.fails(name, error, name, None)
        return
    for test, value in list(space.items()):
        if test.startswith("test") and isinstance(value, types.FunctionType) and value.__module__ == module.__name__:
            _function(seat, name, test, value)
    cases = [value for value in space.values() if _is_case(value)]
    if cases:
        from . import unittests

        unittests.run(seat, name, cases)


def _is_case(value: Any) -> bool:
    unittest = sys.modules.get("unittest")
    return unittest is not None and inspect.isclass(value) and issubclass(value, unittest.TestCase)


def _function(seat: Seat, file: str, name: str, test: types.FunctionType) -> None:
    line = test.__code__.co_firstlineno
    seat.report.starts(name, line)
    try:
        made = test()
        if inspect.iscoroutine(made):
            import asyncio

            asyncio.run(made)
    except ModuleNotFoundError as error:
        if not of_program(error):
            raise
        seat.report.fails(name, error, file, line)
    except BaseException as error:  # noqa: BLE001
        seat.report.fails(name, error, file, line)
    else:
        seat.report.passes(name, line, file)
