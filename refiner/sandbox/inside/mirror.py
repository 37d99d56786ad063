"""Stand-ins for what lives in the other process: classes, objects, functions, modules.

A stand-in forwards what is done to it. What it never does is let the other process say that it equals something: `==`
with a plain value is False whatever the object there would answer, an order between them does not exist, and the result
of arithmetic with a plain value cannot become a number again, for the other process has seen that value.
"""

from __future__ import annotations

import types
from typing import Any, NamedTuple, Protocol

_ASKED = (
    "__call__ __len__ __iter__ __next__ __getitem__ __setitem__ __delitem__ __enter__ __exit__ __reversed__ "
    "__missing__ __repr__ __str__ __format__ __hash__ __bytes__ __length_hint__ __dir__"
)
_CONVERSIONS = (
    "__bool__ __int__ __float__ __complex__ __index__ __round__ __abs__ __trunc__ __floor__ __ceil__ __neg__ __pos__ "
    "__invert__"
)
_TWO = "add sub mul matmul truediv floordiv mod divmod pow lshift rshift and or xor"
ASKED, CONVERSIONS = frozenset(_ASKED.split()), frozenset(_CONVERSIONS.split())
ARITHMETIC = frozenset(f"__{side}{name}__" for name in _TWO.split() for side in ("", "r", "i"))
ORDERS = frozenset(("__lt__", "__le__", "__gt__", "__ge__"))
SPECIAL = ASKED | CONVERSIONS | ARITHMETIC | ORDERS | {"__contains__", "__await__", "__aiter__", "__anext__"}
"""The special methods that a stand-in may have."""

PROBES = ("_pytest", "_mock_", "_spec_", "pytestmark", "_ipython")
"""How the names of attributes begin that frameworks look for on whatever they meet."""

STEPS = frozenset(("__next__", "__anext__", "send", "throw"))
"""The methods that may end an iteration."""

_READABLE = (
    "__name__ __qualname__ __doc__ __module__ __annotations__ __defaults__ __kwdefaults__ __self__ __dict__ __slots__ "
    "__dataclass_fields__ __version__ __all__ __author__ __cause__ __context__ __notes__ __members__"
)
READABLE = frozenset(_READABLE.split())
"""The special attributes that may be asked for by name."""

_PLAIN: dict[str, type] = {kind.__name__: kind for kind in (int, float, complex, str, bytes, tuple, frozenset)}
IMMUTABLE = tuple(_PLAIN.values())
CONTENT = (list, dict, set, bytearray)
"""Bases whose content is compared here, as data."""


def hidden(name: str) -> bool:
    """Whether a stand-in has no such attribute, whatever the object over there has."""
    return name.startswith(PROBES) or (name.startswith("__") and name.endswith("__") and name not in READABLE)


class Asks(Protocol):
    """The channel to the other process, as a stand-in sees it."""

    def ask(self, verb: str, target: int, *operands: Any, built: bool = False, tainted: bool = False) -> Any: ...


class Link(NamedTuple):
    """Which object of the other process a stand-in stands for.

    built: what the call of a class gave, which the tests know by a class's name alone. tainted: what came of arithmetic
    with a plain value.
    """

    peer: Asks
    number: int
    built: bool = False
    tainted: bool = False

    def ask(self, verb: str, *operands: Any, tainted: bool = False) -> Any:
        return self.peer.ask(verb, self.number, *operands, tainted=tainted or self.tainted)


def link(value: Any) -> Link | None:
    """What a value stands for, None for a value of our own."""
    found = type.__getattribute__(type(value), "_link_of") if isinstance(type(value), Kind) else None
    if found is not None:
        return found(value)  # type: ignore[no-any-return]
    if isinstance(value, Kind):
        return type.__getattribute__(value, "_refiner")  # type: ignore[no-any-return]
    return None


class Kind(type):
    """The class of the stand-ins for classes."""

    _refiner: Link | None
    _link_of: Any

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        known = cls._refiner
        if known is None or issubclass(cls, BaseException):
            return super().__call__(*args, **kwargs)
        return known.peer.ask("call", known.number, args, kwargs, built=True)

    def __getattr__(cls, name: str) -> Any:
        known = cls._refiner
        if known is None or hidden(name):
            raise AttributeError(name)
        return known.ask("get", name)

    def __setattr__(cls, name: str, value: Any) -> None:
        known = cls.__dict__.get("_refiner")
        if known is None or name.startswith("__"):
            super().__setattr__(name, value)
        else:
            known.ask("set", name, value)

    def __iter__(cls) -> Any:
        return _special(cls, "__iter__")

    def __len__(cls) -> int:
        return _number(_special(cls, "__len__"))

    def __getitem__(cls, key: Any) -> Any:
        return _special(cls, "__getitem__", key)

    def __contains__(cls, item: Any) -> bool:
        return link(item) is not None and _special(cls, "__contains__", item) is True

    def __bool__(cls) -> bool:
        return True

    def __repr__(cls) -> str:
        return f"<class {cls.__module__}.{cls.__qualname__}>"


def _special(cls: Kind, name: str, *operands: Any) -> Any:
    if cls._refiner is None:
        raise TypeError(f"type {cls.__name__!r} has no {name}")
    return cls._refiner.ask("special", name, operands)


class Remote(metaclass=Kind):
    """An object of the other process."""

    __slots__ = ("__weakref__", "_refiner_link")
    _refiner = None

    def __getattr__(self, name: str) -> Any:
        if hidden(name):
            raise AttributeError(name)
        return _link_of(self).ask("get", name)

    def __setattr__(self, name: str, value: Any) -> None:
        _link_of(self).ask("set", name, value)

    def __delattr__(self, name: str) -> None:
        _link_of(self).ask("unset", name)

    def __eq__(self, other: object) -> Any:
        return _equal(self, other)

    def __hash__(self) -> int:
        return object.__hash__(self)

    def __copy__(self) -> Any:
        return _link_of(self).ask("copy", False)

    def __deepcopy__(self, memo: Any) -> Any:
        return _link_of(self).ask("copy", True)

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError("an object of the program cannot be pickled by its tests")

    _link_of = staticmethod(lambda self: object.__getattribute__(self, "_refiner_link"))


def _link_of(value: Any) -> Link:
    return object.__getattribute__(value, "_refiner_link")  # type: ignore[no-any-return]


class Mirrored(Remote):
    """An object whose class there grows from list, dict, set or bytearray: compared by its content, here."""

    __slots__ = ()
    _refiner = None

    def __eq__(self, other: object) -> Any:
        if isinstance(other, CONTENT):
            return _link_of(self).ask("content") == other
        return _equal(self, other)

    __hash__ = None  # type: ignore[assignment]


def _equal(one: Any, other: Any) -> Any:
    if one is other:
        return True
    known = link(other)
    if known is None or isinstance(other, Kind):
        return NotImplemented
    return _link_of(one).ask("equal", other) is True


def stand_in(shape: Shape, bases: tuple[type, ...], known: Link) -> type:
    """A class like the one described, whose instances stand for objects over there."""
    body: dict[str, Any] = {"__module__": shape.module, "__qualname__": shape.name, "__doc__": shape.doc}
    plain = _PLAIN.get(shape.base)
    if shape.base == "exception":
        body["_refiner_link"] = None
        body["_link_of"] = staticmethod(lambda value: value.__dict__.get("_refiner_link"))
        body["__getattr__"] = _of_plain
        body["__str__"] = _text
        grounds: tuple[type, ...] = tuple(base for base in bases if issubclass(base, BaseException)) or (Exception,)
    elif plain is not None:
        own = tuple(base for base in bases if issubclass(base, plain) and base is not plain)
        body["_link_of"] = staticmethod(lambda value: value.__dict__.get("_refiner_link"))
        body["__getattr__"] = _of_plain
        body |= {
            name: _forwarded(name)
            for name in shape.own
            if not hasattr(object, name) and not name.startswith("__") and not _predicate(plain, name)
        }
        grounds = own or (plain,)
    else:
        body["__slots__"] = ()
        body |= {name: _forward(name) for name in shape.special if name in SPECIAL}
        if "__next__" in shape.special:
            body |= {name: _forward(name) for name in shape.own if name in STEPS}
        ground = Mirrored if shape.base == "content" else Remote
        if "__hash__" not in shape.special:
            body["__hash__"] = None
        grounds = tuple(base for base in bases if issubclass(base, Remote)) or (ground,)
        if ground is Mirrored and not any(issubclass(base, Mirrored) for base in grounds):
            grounds = (Mirrored, *(base for base in grounds if base is not Remote))
    body["_refiner"] = known
    try:
        return Kind(shape.name, grounds, body)
    except TypeError:
        return Kind(shape.name, grounds[:1], body)


def _predicate(plain: type, name: str) -> bool:
    """Whether it is `startswith` or the like of a plain type, which says of a value what it should equal."""
    return hasattr(plain, name) and name.startswith(("is", "starts", "ends"))


class Shape(NamedTuple):
    """What there is to know of a class over there.

    base: what its instances are: a plain immutable type's name, "exception", "content" or "object". special: the
    special methods they answer to. own: the public names that it defines itself.
    """

    name: str
    module: str
    doc: str | None
    base: str
    special: tuple[str, ...]
    own: tuple[str, ...]


def instance(cls: type, known: Link, plain: Any = None) -> Any:
    """A stand-in of that class, with its value where the class grows from a plain type."""
    for base in IMMUTABLE:
        if issubclass(cls, base):
            value = vars(base)["__new__"](cls, plain)
            value.__dict__["_refiner_link"] = known
            return value
    value = object.__new__(cls)
    object.__setattr__(value, "_refiner_link", known)
    return value


def mark_built(value: Remote) -> None:
    """Note that it is what the call of a class gave."""
    object.__setattr__(value, "_refiner_link", _link_of(value)._replace(built=True))


def _of_plain(self: Any, name: str) -> Any:
    known = self.__dict__.get("_refiner_link")
    if known is None or hidden(name):
        raise AttributeError(name)
    return known.ask("get", name)


def _text(self: Any) -> str:
    text = self.__dict__.get("_refiner_text")
    return text if isinstance(text, str) else BaseException.__str__(self)


def _forwarded(name: str) -> Any:
    return property(lambda self: _of_plain(self, name))


def _forward(name: str) -> Any:
    def special(self: Any, *operands: Any, **named: Any) -> Any:
        known = _link_of(self)
        if name == "__call__":
            return known.ask("call", operands, named)
        if name == "__contains__":
            return _contains(self, operands[0])
        ours = any(link(operand) is None for operand in operands)
        if name in ORDERS and ours and not known.built:
            return NotImplemented
        if name in CONVERSIONS and known.tainted:
            raise TypeError(f"what the program made of a value of the tests has no {name}")
        mixed = name in ARITHMETIC and ours and not known.built
        return _checked(name, known.ask("special", name, operands, tainted=mixed), mixed)

    special.__name__ = special.__qualname__ = name
    if name == "__await__":
        return lambda self: _awaited(self).__await__()
    if name == "__aiter__":
        return lambda self: self
    if name == "__anext__":
        return _advance
    return special


def plain_coroutine(value: Any) -> Any:
    """A coroutine of our own in place of the stand-in for one: asyncio takes no other."""
    return _awaited(value) if type(value).__name__ == "coroutine" and hasattr(value, "__await__") else value


async def _awaited(self: Any) -> Any:
    return _link_of(self).ask("await")


async def _advance(self: Any) -> Any:
    return _link_of(self).ask("anext")


def _contains(self: Any, item: Any) -> bool:
    known = _link_of(self)
    if known.built or link(item) is not None:
        return known.ask("special", "__contains__", (item,)) is True
    return any(part is item or part == item for part in self)


def _number(value: Any) -> int:
    if type(value) is not int:
        raise TypeError("the program gave no integer")
    return value


_RESULTS: dict[str, type] = {
    "__len__": int,
    "__length_hint__": int,
    "__hash__": int,
    "__index__": int,
    "__int__": int,
    "__float__": float,
    "__complex__": complex,
    "__bool__": bool,
    "__repr__": str,
    "__str__": str,
    "__format__": str,
    "__bytes__": bytes,
    "__lt__": bool,
    "__le__": bool,
    "__gt__": bool,
    "__ge__": bool,
}


def _checked(name: str, value: Any, mixed: bool) -> Any:
    wanted = _RESULTS.get(name)
    if value is NotImplemented:
        return value
    if wanted is not None and type(value) is not wanted:
        raise TypeError(f"{name} of the program returned {type(value).__name__}")
    if mixed and not isinstance(value, Remote):
        raise TypeError(f"{name} of an object of the program and a value of the tests gave a plain value")
    return value


class ModuleStandIn(types.ModuleType):
    """A module of the other process."""

    _refiner_link: Link

    def __init__(self, name: str, known: Link) -> None:
        super().__init__(name)
        self.__dict__["_refiner_link"] = known

    def __getattr__(self, name: str) -> Any:
        if hidden(name):
            raise AttributeError(name)
        return self._refiner_link.ask("get", name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("__"):
            super().__setattr__(name, value)
        else:
            self._refiner_link.ask("set", name, value)

    def __dir__(self) -> list[str]:
        return [name for name in self._refiner_link.ask("names") if isinstance(name, str)]
