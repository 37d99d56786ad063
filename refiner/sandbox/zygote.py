"""What the layers have in common about the process in `inside/zygote.py`."""

from pathlib import Path
from typing import Literal

from refiner.sandbox.interpreter import Interpreter

INSIDE = Path(__file__).parent / "inside"

_COMMON = (
    "array bisect collections contextlib copy dataclasses datetime decimal enum fractions functools heapq io itertools "
    "json math operator random re statistics string textwrap time traceback typing"
)
_LOADED = {
    "candidate": f"{_COMMON} _inside.candidate _inside.command",
    "tester": f"{_COMMON} ast unittest _inside.tester",
}


def preload(role: Literal["candidate", "tester"]) -> list[str]:
    """The modules that a worker loads before its first cell; one that is missing is none."""
    return _LOADED[role].split()


def environment(interpreter: Interpreter, home: str, prefix: str | None = None) -> dict[str, str]:
    """All that a cell's environment holds; `prefix` is where the interpreter lies for it."""
    prefix = prefix or interpreter.prefix
    env = {
        "PATH": f"{prefix}/bin:/usr/bin:/bin",
        "HOME": home,
        "TMPDIR": home,
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    if interpreter.shared:
        env["LD_LIBRARY_PATH"] = f"{prefix}/lib"
    return env
