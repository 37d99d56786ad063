"""Two processes that ask each other: calls, attributes and iteration on objects that stay where they are.

One question is under way at a time; while its answer is awaited, the other side may ask back. What crosses is data: of
values in `values`, of everything else a number, for which the other side holds a stand-in of `mirror`.
"""

import copy
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from json import dumps, loads
from typing import Any, NamedTuple

from . import mirror
from .forms import Forms, Policy, link_of
from .values import CannotCrossError, Exchange, ForgedError, decode, encode

QUESTION, ANSWER = b"Q", b"A"
LONGEST = 6 << 20
"""The longest message, in bytes."""


class Gone(BaseException):
    """The other side will answer no more, or, when this is passing, not this; outcome and detail say why."""

    def __init__(self, outcome: str, detail: str, *, passing: bool = False) -> None:
        super().__init__(detail)
        self.outcome, self.detail, self.passing = outcome, detail, passing


class Question(NamedTuple):
    """What was asked; known: how many of the exchange's containers are ours. See `mirror.Link` for the others."""

    verb: str
    operands: tuple[Any, ...]
    known: int
    built: bool
    tainted: bool


class Peer:
    """This side's end. send and receive move one message each; said gives what was printed since the last time."""

    def __init__(
        self,
        send: Callable[[bytes], None],
        receive: Callable[[], bytes],
        policy: Policy,
        said: Callable[[], tuple[str, str]] = lambda: ("", ""),
    ) -> None:
        self._send, self._receive, self._policy, self._said = send, receive, policy, said
        self._forms = Forms(policy, self)
        self.number = self._forms.number
        self._lock = threading.RLock()
        self._gone: Gone | None = None
        self._named: dict[int, str] = {}
        self._functions: set[int] = set()
        self.verbs: dict[str, Callable[..., Any]] = {
            "get": lambda target, name: getattr(target, name),
            "set": lambda target, name, value: setattr(target, name, value),
            "unset": lambda target, name: delattr(target, name),
            "call": lambda target, args, named: target(*args, **named),
            "special": lambda target, name, operands: _method(target, name)(target, *operands),
            "equal": lambda target, other: bool(target is other or target == other),
            "copy": lambda target, deep: (copy.deepcopy if deep else copy.copy)(target),
            "content": _content,
            "class": self._forms.described,
            "await": _driven,
        }

    # Asking

    def ask(self, verb: str, target: int, *operands: Any, built: bool = False, tainted: bool = False) -> Any:
        """What the other side's object gives. Raises what it raises there, as the nearest class known here."""
        exchange = Exchange()
        with self._lock:
            form = [verb, target, [encode(operand, exchange, self._forms.foreign) for operand in operands]]
            built = built and target in self._named and target not in self._functions
            question = Question(verb, operands, len(exchange.nodes), built, tainted)
            if self._gone is not None:
                raise self._gone
            try:
                self._send(QUESTION + _dumped(form))
                while (frame := self._receive())[:1] == QUESTION:
                    self.answer(frame[1:])
                value, error = self._read(frame, exchange, question)
            except ForgedError:
                self._gone = Gone("error", "the program broke the channel to its tests")
                raise self._gone from None
            except Gone as gone:
                self._gone = gone
                raise
        if error is not None:
            raise error
        return value

    def _read(self, frame: bytes, exchange: Exchange, question: Question) -> tuple[Any, BaseException | None]:
        if frame[:1] != ANSWER:
            raise ForgedError
        reply = _loaded(frame[1:])
        if not isinstance(reply, dict):
            raise ForgedError
        for stream, key in ((sys.stdout, "o"), (sys.stderr, "e")):
            text = reply.get(key)
            if isinstance(text, str) and text:
                _print(stream, text)
        try:
            return self._taken(reply, exchange, question)
        except (ForgedError, Gone):
            raise
        except Exception as error:
            raise ForgedError from error

    def _taken(self, reply: dict[str, Any], exchange: Exchange, question: Question) -> tuple[Any, BaseException | None]:
        def resolve(tag: str, parts: list[Any]) -> Any:
            return self._forms.resolve(tag, parts, exchange, question.tainted)

        exchange.apply(reply.get("w", []), question.known, resolve)
        verb, operands = question.verb, question.operands
        if "x" in reply:
            error = self._forms.raised(reply["x"], exchange)
            steps = verb == "anext" or (verb == "special" and operands[0] in mirror.STEPS)
            if isinstance(error, KeyboardInterrupt | StopIteration | StopAsyncIteration) and not steps:
                # The one would end the tests, the others a loop over them, as if all were well.
                return None, _instead(error)
            return None, error
        value = decode(reply.get("v"), exchange, resolve)
        if verb == "get":
            self.names(operands[0], value)
        elif verb == "load":
            for name in set(operands[0]) & value[1].keys():
                self.names(name, value[1][name])
        if question.built and isinstance(value, mirror.Remote):
            mirror.mark_built(value)
        return value, None

    def names(self, name: str, value: Any) -> None:
        """Note by which name something of the other side was asked for."""
        found = link_of(value)
        if found is not None:
            self._named.setdefault(found.number, name)
            # A class where the tests want a function would answer to `-` and `<` as it likes.
            if not name.lstrip("_")[:1].isupper():
                self._functions.add(found.number)

    def name(self, number: int) -> str | None:
        """The name by which something of the other side was asked for."""
        return self._named.get(number)

    # Answering

    def answer(self, question: bytes) -> None:
        """Do what was asked, and say what came of it."""
        exchange = Exchange()
        reply: dict[str, Any] = {}
        form = _loaded(question)
        if not isinstance(form, list) or len(form) != 3:
            raise ForgedError
        verb, number, parts = form
        if not isinstance(verb, str) or not isinstance(parts, list):
            raise ForgedError

        def resolve(tag: str, parts: list[Any]) -> Any:
            return self._forms.resolve(tag, parts, exchange, False)

        operands = [decode(part, exchange, resolve) for part in parts]
        exchange.remember()
        try:
            reply["v"] = encode(self._performed(verb, number, operands), exchange, self._forms.foreign)
        except (ForgedError, Gone):
            raise
        except BaseException as error:  # noqa: BLE001
            reply["x"] = self._forms.told(error)
        reply |= self._attached(exchange)
        try:
            message = _dumped(reply)
        except (CannotCrossError, RecursionError, ValueError, MemoryError) as error:
            message = _dumped({"x": self._forms.told(CannotCrossError(str(error)[:200]))})
        self._send(ANSWER + message)

    def _attached(self, exchange: Exchange) -> dict[str, Any]:
        out, err = self._said()
        more: dict[str, Any] = {key: text for key, text in (("o", out), ("e", err)) if text}
        try:
            changes = exchange.changes(self._forms.foreign)
        except (CannotCrossError, RecursionError) as error:
            return more | {"x": self._forms.told(CannotCrossError(f"an argument was changed: {error}"))}
        return more | {"w": changes} if changes else more

    def _performed(self, verb: str, number: Any, operands: list[Any]) -> Any:
        action = self.verbs.get(verb)
        if action is None or type(number) is not int:
            raise ForgedError
        target = self._forms.object(number) if number >= 0 else None
        name = operands[0] if operands and isinstance(operands[0], str) else None
        if not self._policy.permits(verb, target, name):
            raise AttributeError(f"{verb} {name or ''} is not allowed here")
        return action(target, *operands) if number >= 0 else action(*operands)


def _instead(error: BaseException) -> BaseException:
    other = RuntimeError(f"the program raised {type(error).__name__}")
    other.__dict__.update(error.__dict__)
    return other


def _method(target: Any, name: str) -> Any:
    for cls in type(target).__mro__:
        if name in vars(cls):
            return getattr(cls, name)
    raise TypeError(f"{type(target).__name__!r} object has no {name}")


def _driven(target: Any) -> Any:
    """What a coroutine comes to that waits for nothing but its turn."""
    steps = target.__await__()
    try:
        while next(steps) is None:
            pass
    except StopIteration as stop:
        return stop.value
    raise RuntimeError("a coroutine of the tests waits for something that the program cannot wait for")


def _content(target: Any) -> Any:
    if isinstance(target, dict):
        return dict(dict.items(target))
    base = next(base for base in mirror.CONTENT if isinstance(target, base))
    return base(vars(base)["__iter__"](target))


def _dumped(form: Any) -> bytes:
    message = dumps(form, separators=(",", ":")).encode()
    if len(message) > LONGEST:
        raise CannotCrossError(f"a value of {len(message)} bytes cannot cross to the other process")
    return message


def _loaded(message: bytes) -> Any:
    try:
        return loads(message)
    except (ValueError, RecursionError) as error:
        raise ForgedError from error


def _print(stream: Any, text: str) -> None:
    with suppress(OSError, ValueError, AttributeError):
        stream.write(text)
