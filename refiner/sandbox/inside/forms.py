"""What of one process the other can speak of: an object by its number, a class by its shape, an exception."""

import sys
import types
import weakref
from json import dumps
from typing import Any, Protocol

from . import mirror
from .mirror import Asks, Kind, Link, Shape
from .values import CannotCrossError, Exchange, ForgedError, decode, encode

NOBODY = -2
"""The number of no object."""

_TEXT = 20_000


class Policy(Protocol):
    """What this side lets the other one do; secret: exceptions whose words it keeps to itself."""

    secret: tuple[type[BaseException], ...]

    def permits(self, verb: str, target: Any, name: str | None) -> bool: ...

    def exports(self, value: Any) -> bool:
        """Whether the other side may hold a stand-in for it."""

    def tells(self, module: str, name: str) -> bool:
        """Whether something of the standard library is told by its name, not held."""

    def named(self, module: str, name: str) -> Any:
        """What the other side means by a name. Raises ForgedError."""

    def trace(self, error: BaseException) -> str:
        """The traceback to tell."""


class Forms:
    """The objects that either side knows of the other; asks: how to learn more of theirs."""

    def __init__(self, policy: Policy, asks: Asks) -> None:
        self._policy, self._asks = policy, asks
        self._objects: list[Any] = []
        self._numbers: dict[int, int] = {}
        self._stand_ins: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()
        self._classes: dict[int, type] = {}
        # Most of what crosses first are functions: theirs are like ours, which saves a question.
        shape, _ = _shape(self.described(types.FunctionType))
        self._function = mirror.stand_in(shape, (), Link(asks, NOBODY))

    def object(self, number: Any) -> Any:
        """Our object of that number."""
        if type(number) is not int or not 0 <= number < len(self._objects):
            raise ForgedError
        return self._objects[number]

    def number(self, value: Any) -> int:
        """The number under which the other side knows an object of ours."""
        known = self._numbers.get(id(value))
        if known is None:
            known = self._numbers[id(value)] = len(self._objects)
            self._objects.append(value)
        return known

    def foreign(self, value: Any) -> list[Any]:
        found = link_of(value)
        if found is not None and found.peer is self._asks:
            return ["y", found.number]
        if isinstance(value, BaseException):
            return ["e", self.told(value)]
        name = self._global_name(value)
        if name is not None:
            return ["g", *name]
        if not self._policy.exports(value):
            raise CannotCrossError(f"{type(value).__name__} cannot cross to the other process")
        if isinstance(value, type):
            return ["k", self.number(value)]
        if isinstance(value, types.ModuleType):
            return ["m", self.number(value), str(value.__name__)]
        kind = type(value)
        if kind is types.FunctionType:
            return ["f", self.number(value)]
        for base in mirror.IMMUTABLE:
            if issubclass(kind, base):
                plain = encode(_grown(value, base), Exchange(), self.foreign)
                return ["x", self.number(value), self.number(kind), plain]
        return ["h", self.number(value), self.number(kind)]

    def _global_name(self, value: Any) -> tuple[str, str] | None:
        if not isinstance(value, type | types.FunctionType | types.BuiltinFunctionType):
            return None
        module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
        if not isinstance(module, str) or not isinstance(name, str) or not self._policy.tells(module, name):
            return None
        return (module, name) if getattr(sys.modules.get(module), name, None) is value else None

    def resolve(self, tag: str, parts: list[Any], exchange: Exchange, tainted: bool) -> Any:
        if tag == "y" and len(parts) == 1:
            return self.object(parts[0])
        if tag == "e" and len(parts) == 1:
            return self.raised(parts[0], exchange)
        if tag == "g" and len(parts) == 2 and all(isinstance(part, str) for part in parts):
            return self._policy.named(*parts)
        if not parts or any(type(part) is not int for part in parts[: 1 if tag == "m" else 2]):
            raise ForgedError
        known = Link(self._asks, parts[0], tainted=tainted)
        if tag == "k" and len(parts) == 1:
            return self._class(parts[0])
        if tag == "m" and len(parts) == 2 and isinstance(parts[1], str):
            return mirror.ModuleStandIn(parts[1], known)
        if tag == "x" and len(parts) == 3:
            plain = decode(parts[2], exchange, lambda tag, inner: self.resolve(tag, inner, exchange, tainted))
            cls = self._class(parts[1])
            if not any(type(plain) is base and issubclass(cls, base) for base in mirror.IMMUTABLE):
                raise ForgedError
            return mirror.instance(cls, known, plain)
        if tag == "f" and len(parts) == 1:
            cls = self._function
        elif tag == "h" and len(parts) == 2:
            cls = self._class(parts[1])
        else:
            raise ForgedError
        if not issubclass(cls, mirror.Remote):
            raise ForgedError
        held = self._stand_ins.get(parts[0])
        if held is not None and type(held) is cls and not tainted:
            return held
        value = mirror.instance(cls, known)
        if not tainted:
            self._stand_ins[parts[0]] = value
        return mirror.plain_coroutine(value)

    def described(self, target: Any) -> dict[str, Any]:
        if not isinstance(target, type):
            raise ForgedError
        base = next((kind.__name__ for kind in mirror.IMMUTABLE if issubclass(target, kind)), "object")
        if issubclass(target, BaseException):
            base = "exception"
        elif issubclass(target, mirror.CONTENT):
            base = "content"
        has = {name for cls in target.__mro__ for name, method in vars(cls).items() if method is not None}
        lacks = ["__hash__"] * (getattr(target, "__hash__", None) is None)
        return {
            "name": str(target.__name__),
            "module": str(target.__module__),
            "doc": target.__doc__ if isinstance(target.__doc__, str) else None,
            "base": base,
            "special": sorted((mirror.SPECIAL & has).difference(lacks)),
            "own": [name for name in vars(target) if isinstance(name, str)],
            "bases": [parent for parent in target.__bases__ if parent is not object and self._policy.exports(parent)],
        }

    def _class(self, number: int) -> type:
        known = self._classes.get(number)
        if known is not None:
            if known is _UNKNOWN:
                raise ForgedError
            return known
        self._classes[number] = _UNKNOWN
        try:
            told = self._asks.ask("class", number)
            shape, bases = _shape(told)
            made = mirror.stand_in(shape, bases, Link(self._asks, number))
        except BaseException:
            del self._classes[number]
            raise
        self._classes[number] = made
        return made

    def told(self, error: BaseException) -> dict[str, Any]:
        found = link_of(error)
        if found is not None and found.peer is self._asks:
            return {"y": found.number}
        if isinstance(error, CannotCrossError):
            # To the other side it is the kind of error that anybody might raise.
            error = TypeError(*error.args)
        secret = isinstance(error, self._policy.secret)
        text = "" if secret else _string(error)
        told: dict[str, Any] = {"n": self.number(error), "t": self._policy.trace(error), "s": text}
        kind = type(error)
        name = self._global_name(kind)
        try:
            told["k"] = ["g", *name] if name is not None else self.foreign(kind)
            told["a"] = [] if secret else [encode(part, Exchange(), self.foreign) for part in error.args]
            if len(dumps(told["a"])) > _TEXT:
                told["a"] = [told["s"]]
        except Exception:  # noqa: BLE001
            told["a"] = [told["s"]]
        return told

    def raised(self, told: Any, exchange: Exchange) -> BaseException:
        if not isinstance(told, dict):
            raise ForgedError
        if "y" in told:
            ours = self.object(told["y"])
            if not isinstance(ours, BaseException):
                raise ForgedError
            return ours
        number, text = told.get("n"), told.get("s")
        if type(number) is not int or not isinstance(text, str) or not isinstance(told.get("a"), list):
            raise ForgedError

        def resolve(tag: str, parts: list[Any]) -> Any:
            return self.resolve(tag, parts, exchange, False)

        cls = decode(told.get("k"), exchange, resolve)
        args = [decode(part, Exchange(), resolve) for part in told["a"]]
        if not isinstance(cls, type) or not issubclass(cls, BaseException):
            raise ForgedError
        error = _made(cls, args, text)
        error.__dict__.update(
            _refiner_link=Link(self._asks, number), _refiner_text=text, _refiner_trace=str(told.get("t", ""))
        )
        return error


_UNKNOWN = type("Unknown", (), {})


def _shape(told: Any) -> tuple[Shape, tuple[type, ...]]:
    if not isinstance(told, dict):
        raise ForgedError
    name, module, bases = told.get("name"), told.get("module"), told.get("bases")
    special, own, doc = told.get("special"), told.get("own"), told.get("doc")
    if not (isinstance(name, str) and isinstance(module, str) and isinstance(doc, str | None)):
        raise ForgedError
    if not (isinstance(bases, list) and all(isinstance(base, type) for base in bases) and len(bases) < 20):
        raise ForgedError
    if not all(isinstance(names, list) and all(isinstance(n, str) for n in names) for names in (special, own)):
        raise ForgedError
    base = told.get("base")
    if not isinstance(base, str):
        raise ForgedError
    return Shape(name.replace("\0", ""), module, doc, base, tuple(special or ()), tuple(own or ())), tuple(bases)


def _made(cls: type[BaseException], args: list[Any], text: str) -> BaseException:
    try:
        error = cls.__new__(cls, *args) if isinstance(cls, Kind) else cls(*args)
    except Exception:  # noqa: BLE001
        error = BaseException.__new__(cls) if isinstance(cls, Kind) else RuntimeError(f"{cls.__name__}: {text}")
    if isinstance(cls, Kind):
        error.args = tuple(args)
    return error


def link_of(value: Any) -> Link | None:
    if isinstance(value, BaseException):
        found = value.__dict__.get("_refiner_link")
        return found if isinstance(found, Link) else None
    if issubclass(type(value), mirror.ModuleStandIn):
        return value.__dict__["_refiner_link"]  # type: ignore[no-any-return]
    return mirror.link(value)


def _grown(value: Any, base: type) -> Any:
    if base is str:
        return str.__str__(value)
    if base is bytes:
        return bytes.__getitem__(value, slice(None))
    if base in (tuple, frozenset):
        return base(vars(base)["__iter__"](value))
    return vars(base)["__pos__"](value)


def _string(error: BaseException) -> str:
    try:
        return str(error)[:_TEXT]
    except Exception:  # noqa: BLE001
        return ""
