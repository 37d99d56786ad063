"""Values as plain data: what of Python can cross from one process to another by copy.

The form is JSON: None, bool, str, finite and infinite floats and short ints stand for themselves, everything else is a
list that begins with a tag. Containers that can change are numbered in the order in which they appear, so that a list
that appears twice stays one list, a cycle stays a cycle, and what a call did to its arguments can be told by number.
"""

import datetime
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable
from decimal import Decimal
from fractions import Fraction
from pathlib import PosixPath, PurePosixPath
from typing import Any
from uuid import UUID

DEEPEST = 150
"""Containers within containers."""

SHORT = 1 << 62
"""Integers up to here are written as JSON numbers."""


class CannotCrossError(TypeError):
    """A value that has no form as data."""


class ForgedError(Exception):
    """Data that is no form of a value."""


Foreign = Callable[[Any], list[Any]]
"""Gives the form of what is no plain value."""
Resolve = Callable[[str, list[Any]], Any]
"""Gives the value of a form with a tag that is not of this module."""

CHANGING: dict[type, str] = {
    list: "l",
    dict: "d",
    set: "s",
    bytearray: "ba",
    deque: "dq",
    OrderedDict: "od",
    Counter: "ct",
    defaultdict: "dd",
}
_MAPS = (dict, OrderedDict, Counter, defaultdict)
_FRESH: dict[str, Callable[[], Any]] = {tag: kind for kind, tag in CHANGING.items()}
_FIXED: dict[type, str] = {tuple: "t", frozenset: "fs"}


def children(node: Any) -> list[Any]:
    """What a changing container holds, flat; keys and values of a mapping take turns."""
    kind = type(node)
    if kind in _MAPS:
        return [part for item in dict.items(node) for part in item]
    if kind is bytearray:
        return [bytes(node)]
    return list(node)


def refill(node: Any, parts: list[Any]) -> None:
    """Make a changing container hold these."""
    kind = type(node)
    if kind in _MAPS:
        node.clear()
        for key, value in zip(parts[::2], parts[1::2], strict=True):
            dict.__setitem__(node, key, value) if kind is not OrderedDict else node.__setitem__(key, value)
    elif kind is bytearray:
        node[:] = parts[0]
    elif kind is set:
        node.clear()
        node.update(parts)
    elif kind is deque:
        node.clear()
        node.extend(parts)
    else:
        node[:] = parts


class Exchange:
    """A question and its answer: the changing containers that both of them speak of."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self._numbers: dict[int, int] = {}
        self._before: list[list[Any]] = []

    def number(self, node: Any) -> int | None:
        return self._numbers.get(id(node))

    def add(self, node: Any) -> None:
        self._numbers[id(node)] = len(self.nodes)
        self.nodes.append(node)

    def remember(self) -> None:
        """Keep what the containers hold now, for `changes`."""
        self._before = [children(node) for node in self.nodes]

    def changes(self, foreign: Foreign) -> list[Any]:
        """[number, what it holds now …] of each container that has changed since `remember`."""
        changed = [
            (number, children(node))
            for number, (node, before) in enumerate(zip(self.nodes, self._before, strict=False))
            if not _same(children(node), before)
        ]
        return [[number, *(encode(part, self, foreign) for part in parts)] for number, parts in changed]

    def apply(self, changes: Any, known: int, resolve: Resolve) -> None:
        """Do to our containers, of which the other side knows the first `known`, what it did to its copies."""
        if not isinstance(changes, list):
            raise ForgedError
        for change in changes:
            if not isinstance(change, list) or not change or type(change[0]) is not int:
                raise ForgedError
            number, *forms = change
            if not 0 <= number < known:
                raise ForgedError
            parts = [decode(form, self, resolve) for form in forms]
            try:
                refill(self.nodes[number], parts)
            except (TypeError, ValueError, IndexError) as error:
                raise ForgedError from error


def _same(now: list[Any], before: list[Any]) -> bool:
    if len(now) != len(before):
        return False
    return all(a is b or (type(a) is bytes and a == b) for a, b in zip(now, before, strict=True))


def encode(value: Any, exchange: Exchange, foreign: Foreign, depth: int = 0) -> Any:
    """The form of a value. Raises CannotCrossError where it is nested too deeply or `foreign` refuses."""
    kind = type(value)
    if value is None or kind is bool or kind is float:
        return value
    if kind is int:
        return value if -SHORT < value < SHORT else ["i", hex(value)]
    if kind is str:
        return value if value.isascii() or _encodes(value) else ["u", value.encode("utf-8", "surrogatepass").hex()]
    if depth > DEEPEST:
        raise CannotCrossError(f"a value that is nested more than {DEEPEST} deep cannot cross to the other process")
    if kind in CHANGING:
        known = exchange.number(value)
        if known is not None:
            return ["r", known]
        exchange.add(value)
        head: list[Any] = [CHANGING[kind]]
        if kind is deque:
            head.append(value.maxlen)
        elif kind is defaultdict:
            head.append(encode(value.default_factory, exchange, foreign, depth + 1))
        return head + [encode(part, exchange, foreign, depth + 1) for part in children(value)]
    if kind in _FIXED:
        return [_FIXED[kind], *[encode(part, exchange, foreign, depth + 1) for part in value]]
    simple = _SIMPLE.get(kind)
    if simple is not None:
        form = simple(value)
        if form is not None:
            return form
    number = _of_numpy(value)
    return foreign(value) if number is None else encode(number, exchange, foreign)


def _of_numpy(value: Any) -> bool | int | float | None:
    """A number of numpy's as one of ours, None where it is none."""
    numpy: Any = sys.modules.get("numpy")
    if numpy is not None:
        for theirs, ours in ((numpy.bool_, bool), (numpy.integer, int), (numpy.floating, float)):
            if isinstance(value, theirs):
                return ours(value)
    return None


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _offset(zone: datetime.tzinfo | None) -> Any:
    if zone is None:
        return None
    return zone.utcoffset(None).total_seconds() if type(zone) is datetime.timezone else False


def _moment(value: datetime.datetime) -> list[Any] | None:
    offset = _offset(value.tzinfo)
    return None if offset is False else ["dt", value.replace(tzinfo=None).isoformat(), value.fold, offset]


def _clock(value: datetime.time) -> list[Any] | None:
    offset = _offset(value.tzinfo)
    return None if offset is False else ["ti", value.replace(tzinfo=None).isoformat(), value.fold, offset]


_SIMPLE: dict[type, Callable[[Any], list[Any] | None]] = {
    bytes: lambda v: ["b", v.hex()],
    complex: lambda v: ["c", v.real, v.imag],
    range: lambda v: ["rg", *(hex(n) for n in (v.start, v.stop, v.step))],
    slice: lambda v: (
        ["sl", v.start, v.stop, v.step]
        if all(n is None or (type(n) is int and abs(n) < SHORT) for n in (v.start, v.stop, v.step))
        else None
    ),
    Decimal: lambda v: ["D", str(v)],
    Fraction: lambda v: ["F", hex(v.numerator), hex(v.denominator)],
    datetime.datetime: _moment,
    datetime.time: _clock,
    datetime.date: lambda v: ["da", v.isoformat()],
    datetime.timedelta: lambda v: ["td", v.days, v.seconds, v.microseconds],
    datetime.timezone: lambda v: ["tz", _offset(v)],
    UUID: lambda v: ["U", str(v)],
    PurePosixPath: lambda v: ["pp", str(v)],
    PosixPath: lambda v: ["p", str(v)],
    type(Ellipsis): lambda _: ["E"],
    type(NotImplemented): lambda _: ["N"],
}


def _zone(offset: Any) -> datetime.timezone | None:
    return None if offset is None else datetime.timezone(datetime.timedelta(seconds=offset))


def _whole(text: Any) -> int:
    return int(text, 16)


_PLAIN: dict[str, Callable[..., Any]] = {
    "i": _whole,
    "u": lambda v: bytes.fromhex(v).decode("utf-8", "surrogatepass"),
    "b": bytes.fromhex,
    "c": lambda a, b: complex(float(a), float(b)),
    "rg": lambda a, b, c: range(_whole(a), _whole(b), _whole(c)),
    "sl": lambda a, b, c: slice(*(None if n is None else int(n) for n in (a, b, c))),
    "D": Decimal,
    "F": lambda a, b: Fraction(_whole(a), _whole(b)),
    "dt": lambda v, fold, zone: datetime.datetime.fromisoformat(v).replace(fold=fold, tzinfo=_zone(zone)),
    "ti": lambda v, fold, zone: datetime.time.fromisoformat(v).replace(fold=fold, tzinfo=_zone(zone)),
    "da": datetime.date.fromisoformat,
    "td": datetime.timedelta,
    "tz": _zone,
    "U": UUID,
    "pp": PurePosixPath,
    "p": PosixPath,
    "E": lambda: Ellipsis,
    "N": lambda: NotImplemented,
}


def decode(form: Any, exchange: Exchange, resolve: Resolve, depth: int = 0) -> Any:
    """The value of a form. Raises ForgedError where it is none."""
    if not isinstance(form, list):
        if isinstance(form, dict):
            raise ForgedError
        return form
    if not form or type(form[0]) is not str or depth > DEEPEST + 2:
        raise ForgedError
    tag, *parts = form
    try:
        if tag in _FRESH:
            return _changing(tag, parts, exchange, resolve, depth)
        if tag == "t":
            return tuple([decode(part, exchange, resolve, depth + 1) for part in parts])
        if tag == "fs":
            return frozenset([decode(part, exchange, resolve, depth + 1) for part in parts])
        if tag == "r":
            return exchange.nodes[_index(*parts)]
        if tag in _PLAIN:
            return _PLAIN[tag](*(_scalars(parts)))
    except ForgedError:
        raise
    except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
        raise ForgedError from error
    return resolve(tag, parts)


def _index(number: Any) -> int:
    if type(number) is not int or number < 0:
        raise ForgedError
    return number


def _scalars(parts: list[Any]) -> Iterable[Any]:
    if any(isinstance(part, list | dict) for part in parts):
        raise ForgedError
    return parts


def _changing(tag: str, parts: list[Any], exchange: Exchange, resolve: Resolve, depth: int) -> Any:
    node: Any
    if tag == "dq":
        length, *parts = parts
        node = deque(maxlen=length)
    elif tag == "dd":
        factory, *parts = parts
        node = defaultdict(decode(factory, exchange, resolve, depth + 1))
    else:
        node = _FRESH[tag]()
    exchange.add(node)
    refill(node, [decode(part, exchange, resolve, depth + 1) for part in parts])
    return node
