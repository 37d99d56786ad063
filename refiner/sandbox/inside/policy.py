"""What each side of the channel lets the other one do: the program's side all, the tests' side next to nothing."""

import builtins
import functools
import importlib
import sys
import traceback
import types
from typing import Any

from .mirror import SPECIAL
from .values import ForgedError

_NAMED = (
    "collections.OrderedDict collections.Counter collections.defaultdict collections.deque datetime.datetime "
    "datetime.date datetime.time datetime.timedelta datetime.timezone decimal.Decimal fractions.Fraction uuid.UUID "
    "pathlib.PosixPath pathlib.PurePosixPath "
    "json.decoder.JSONDecodeError decimal.InvalidOperation decimal.DivisionByZero decimal.Overflow decimal.Inexact "
    "re.error binascii.Error struct.error zlib.error _csv.Error configparser.Error configparser.NoSectionError "
    "configparser.NoOptionError configparser.ParsingError queue.Empty queue.Full _queue.Empty "
    "concurrent.futures._base.TimeoutError asyncio.exceptions.CancelledError asyncio.exceptions.InvalidStateError "
    "statistics.StatisticsError dataclasses.FrozenInstanceError graphlib.CycleError ipaddress.AddressValueError "
    "ipaddress.NetmaskValueError zoneinfo._common.ZoneInfoNotFoundError tomllib.TOMLDecodeError "
    "xml.etree.ElementTree.ParseError array.ArrayType subprocess.CalledProcessError subprocess.TimeoutExpired "
    "calendar.IllegalMonthError urllib.error.URLError sqlite3.Error"
)
_SHARED = frozenset(_NAMED.split())
TYPES = frozenset(
    name for name, value in vars(builtins).items() if isinstance(value, type) and not name.startswith("_")
)


def _known(module: str, name: str) -> bool:
    return name in TYPES if module == "builtins" else f"{module}.{name}" in _SHARED


class Program:
    """The side of the program: its tests may do to it what they like.

    own: the first part of the name of the program's module, which may be that of a standard one. files: the file names
    of whose frames a traceback consists.
    """

    secret: tuple[type[BaseException], ...] = ()

    def __init__(self, own: str, files: tuple[str, ...]) -> None:
        self._own, self._files = own, files

    def permits(self, verb: str, target: Any, name: str | None) -> bool:
        return True

    def exports(self, value: Any) -> bool:
        return True

    def tells(self, module: str, name: str) -> bool:
        return module.partition(".")[0] != self._own and _known(module, name)

    def named(self, module: str, name: str) -> Any:
        return getattr(importlib.import_module(module), name)

    def trace(self, error: BaseException) -> str:
        return own_traceback(error, self._files)


_CLOSED = (types.ModuleType, types.FrameType, types.CodeType, types.TracebackType)
_CALLED = (types.FunctionType, types.BuiltinFunctionType, types.MethodType, functools.partial, type)
_STEPPED = (types.GeneratorType, types.CoroutineType, types.AsyncGeneratorType)
_FOREIGN = ("unittest", "pytest", "_pytest", "pluggy", "inspect", "types", "builtins", "_inside", "importlib", "sys")
_NAMES = frozenset(("__name__", "__qualname__", "__doc__", "__module__"))


class Tests:
    """The side of the tests: the program may call what it was handed, and read the public attributes of plain objects.

    A function's globals, a frame or a module would be the way to the expected values, and to the verdict.
    """

    secret: tuple[type[BaseException], ...] = (AssertionError,)

    def __init__(self, own: str) -> None:
        self._own = own

    def permits(self, verb: str, target: Any, name: str | None) -> bool:
        if isinstance(target, _CLOSED):
            return False
        if verb in ("call", "class", "equal", "content", "copy", "await"):
            return True
        if verb == "special":
            return name in SPECIAL or (isinstance(target, _STEPPED) and name in ("send", "throw"))
        if name is None or verb not in ("get", "set"):
            return False
        if verb == "get" and name in _NAMES:
            return True
        if name.startswith("_") or isinstance(target, (*_CALLED[:-1], *_STEPPED)) or not self._open(type(target)):
            return False
        if isinstance(target, type):
            # Through `unittest`'s own classes lies a way around what is said of their objects.
            return verb == "get" and target.__module__.partition(".")[0] not in _FOREIGN
        if _is_of_mocks(target, name):
            return False
        return verb == "get" or self._settable(target, name)

    def _open(self, kind: type) -> bool:
        module = kind.__module__
        return module == "unittest.mock" or module.partition(".")[0] not in _FOREIGN or issubclass(kind, type)

    def _settable(self, target: Any, name: str) -> bool:
        if type(target).__module__.partition(".")[0] in sys.stdlib_module_names:
            return False
        return not callable(getattr(type(target), name, None))

    def exports(self, value: Any) -> bool:
        if isinstance(value, _CLOSED):
            return False
        if isinstance(value, (*_CALLED, *_STEPPED)) or callable(value):
            return True
        return hasattr(value, "__next__") or self._open(type(value)) or type(value).__module__ == "builtins"

    def tells(self, module: str, name: str) -> bool:
        root = module.partition(".")[0]
        return root != self._own and root in sys.stdlib_module_names

    def named(self, module: str, name: str) -> Any:
        if not _known(module, name):
            raise ForgedError
        return getattr(importlib.import_module(module), name, None)

    def trace(self, error: BaseException) -> str:
        return ""


def _is_of_mocks(target: Any, name: str) -> bool:
    """Whether it is what a mock has for its tests: what it was called with, and what it asserts of that."""
    mock: Any = sys.modules.get("unittest.mock")
    return (
        mock is not None
        and isinstance(target, mock.NonCallableMock)
        and (hasattr(mock.Mock, name) or name == "method_calls")
    )


def own_traceback(error: BaseException, files: tuple[str, ...]) -> str:
    """The traceback without the frames of anybody but these files, cut to a readable length."""
    try:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(files)]
        if len(frames) > 10:
            frames = frames[:4] + frames[-6:]
        lines = traceback.format_list(frames) + traceback.format_exception_only(type(error), error)
        text = "".join(line if len(line) < 1000 else line[:1000] + "…\n" for line in lines)
    except Exception:  # noqa: BLE001
        return type(error).__name__
    return text if len(text) < 4000 else text[:1500] + "\n…\n" + text[-2000:]
