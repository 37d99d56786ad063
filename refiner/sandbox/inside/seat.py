"""Where the tests sit: their end of the channel to the program, and the stand-ins that they see in its place."""

import importlib
import json
import socket
import types
from collections.abc import Callable
from typing import Any

from . import program, wire
from .mirror import Link, ModuleStandIn, hidden
from .peer import Gone, Peer
from .policy import Tests, own_traceback
from .report import Report
from .values import Exchange, decode

_CALL = b'Q["call"'
_MOST_OF_CALL = 600


class StandIn(program.Finder):
    """The program's module, as its tests see it."""

    def __init__(self, name: str, make: Callable[[str], types.ModuleType]) -> None:
        super().__init__(name)
        self._make = make

    def create_module(self, spec: Any) -> types.ModuleType:
        return self._make(spec.name)

    def fill(self, module: types.ModuleType) -> None:
        pass


class Present(ModuleStandIn):
    """A program that is there; what the tests import of it and it does not define is `Missing`.

    `import *` gives what the tests use and define nowhere, or the program could put its own `math` into them.
    """

    def __getattr__(self, name: str) -> Any:
        seat: Seat = self.__dict__["_refiner_seat"]
        if name == "__all__":
            defined = self._refiner_link.ask("names")
            return [wanted for wanted in seat.told["names"] if wanted in defined]
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name not in seat.told["imports"]:
                raise
            return Missing(seat.report, Gone("error", f"the program defines no {name!r}", passing=True))


class Absent(types.ModuleType):
    """A program that is not there: it has every name, and none works."""

    def __getattr__(self, name: str) -> Any:
        seat: Seat = self.__dict__["_refiner_seat"]
        if name == "__all__":
            return seat.told["names"]
        if hidden(name) or seat.gone is None:
            raise AttributeError(name)
        return Missing(seat.report, seat.gone)


class Missing:
    """Something that is not there: whatever is done with it raises, and no test passes by that."""

    def __init__(self, report: Report, gone: Gone) -> None:
        self.__dict__.update(_report=report, _gone=gone)

    def __call__(self, *args: Any, **named: Any) -> Any:
        self.__dict__["_report"].lost = self.__dict__["_gone"]
        raise self.__dict__["_gone"]

    def __getattr__(self, name: str) -> Any:
        if hidden(name) or name.startswith("__"):
            raise AttributeError(name)
        return self()

    __iter__ = __eq__ = __bool__ = __len__ = __getitem__ = __call__
    __hash__ = object.__hash__


class Seat:
    """The tests' end of the channel, and what they know of the program."""

    def __init__(self, channel: socket.socket, told: dict[str, Any]) -> None:
        self._channel, self.told = channel, told
        self._question = b""
        self.asked = 0
        self._defined: dict[str, Any] = {}
        self.module: str = told["module"]
        self.peer = Peer(self._tell, self._hear, Tests(self.module.partition(".")[0]))
        files = {name: text.splitlines() for name, text in told["files"]}
        self.report = Report(self.say, files)
        self.report.called = self.last_call
        self.link: Link | None = None
        self.gone: Gone | None = None
        self.local: types.ModuleType | None = None

    def say(self, message: bytes) -> None:
        wire.write(self._channel, message)

    def load(self) -> None:
        """Have the program imported, over there or, where the tests need it, here."""
        try:
            if self.told.get("source") is not None:
                self.local = program.load(self.module, self.told["source"])
                return
            number, self._defined = self.peer.ask("load", -1, self.told["names"])
            self.link = Link(self.peer, int(number))
            self._defined = dict(self._defined)
        except Gone as gone:
            self.gone = gone
        except BaseException as error:  # noqa: BLE001
            trace = getattr(error, "_refiner_trace", None) or own_traceback(error, (program.file_name(self.module),))
            self.gone = Gone("error", trace.strip() or type(error).__name__)
        self.report.lost = self.gone
        program.reach_project()
        StandIn(self.module, self._module).install()

    def _module(self, name: str) -> types.ModuleType:
        made = Absent(name) if self.link is None else Present(name, self.link)
        made.__dict__["_refiner_seat"] = self
        return made

    def given(self) -> dict[str, Any]:
        """What the tests use without an import: of the program, and of the standard library."""
        found: dict[str, Any] = {}
        for told in self.told["modules"]:
            module, _, name = told.partition(".")
            found[name or module] = (
                getattr(importlib.import_module(module), name) if name else importlib.import_module(module)
            )
        return found | self._names(self.told["names"])

    def _names(self, wanted: list[str]) -> dict[str, Any]:
        if not wanted:
            return {}
        if self.local is not None:
            return {name: vars(self.local)[name] for name in wanted if name in vars(self.local)}
        if self.link is None:
            gone = self.gone or Gone("error", "")
            return {name: Missing(self.report, gone) for name in wanted}
        return {name: self._defined[name] for name in wanted if name in self._defined}

    def imported(self) -> types.ModuleType:
        """The program's module."""
        return importlib.import_module(self.module)

    def last_call(self) -> str:
        """The call of the program that was the last, for a reader."""
        try:
            _, number, parts = json.loads(self._question)
            args, named = (decode(part, Exchange(), lambda *_: _Opaque()) for part in parts)
        except (ValueError, TypeError):
            return ""
        name = self.peer.name(number)
        told = [repr(arg) for arg in args] + [f"{key}={value!r}" for key, value in named.items()]
        text = f"{name}({', '.join(told)})" if name else ""
        return text if len(text) < _MOST_OF_CALL else text[:_MOST_OF_CALL] + "…"

    def _tell(self, message: bytes) -> None:
        if message[:1] == b"Q":
            self.asked += 1
            if message.startswith(_CALL):
                self._question = message[1:]
        wire.write(self._channel, message)

    def _hear(self) -> bytes:
        message = wire.read(self._channel)
        if message[:1] == b"G":
            told = json.loads(message[1:])
            self.report.lost = Gone(told["outcome"], told["detail"])
            raise self.report.lost
        return message


class _Opaque:
    def __repr__(self) -> str:
        return "…"
