"""Two cells and what is said between them, until the tests are over or the time is."""

import json
import time
from contextlib import AbstractAsyncContextManager
from typing import Any

import anyio

from refiner.domain.code import Case, Outcome
from refiner.sandbox.cell import Cell, Ending, Sandbox

GRACE = 1.5
"""Seconds after the end of the time in which the tests tell what they know."""

_MOST_OUTPUT = 20_000
_MOST_FRAME = 8 << 20
_MOST_CASES = 20_000
_PREPARING = b'Q["load"'
_WHY = {
    Outcome.TIMEOUT: "it took too long",
    Outcome.MEMORY: "it used more memory than it may",
    Outcome.OUTPUT_LIMIT: "it printed more than it may",
    Outcome.KILLED: "its process was killed by a signal",
    Outcome.SANDBOX: "the sandbox broke",
    None: "the program ended its process",
}


class Trial:
    """One run of tests against a program; each: the seconds are for each test, and count anew when one starts.

    cases: what the tests said of themselves. done: they came to their end; ended: what ended them otherwise. gone: what
    ended the program. running: the test that started last. missing: a package that the tests want. asked: how often the
    program has answered for a test.
    """

    def __init__(self, sandbox: Sandbox, folder: str | None, seconds: float, *, each: bool = False) -> None:
        self._sandbox, self._folder, self._seconds, self._each = sandbox, folder, seconds, each
        self._ends = 0.0
        self.cases: list[Case] = []
        self.running: Case | None = None
        self.done = False
        self.asked = 0
        self.gone: Outcome | None = None
        self.ended: Outcome | None = None
        self.missing: str | None = None
        self.detail = self.error = self.output = ""

    async def run(self, told: dict[str, Any], program: dict[str, Any]) -> None:
        """Open the cells, tell them what they are for, and pass on what they say. Raises SandboxError."""
        try:
            await self._run(told, program)
        except BaseExceptionGroup as group:
            if len(group.exceptions) == 1:
                raise group.exceptions[0] from None
            raise

    async def _run(self, told: dict[str, Any], program: dict[str, Any]) -> None:
        async with anyio.create_task_group() as tasks:
            candidate = None
            if told["source"] is None:
                candidate = _Beside(self._sandbox.open("candidate", folder=self._folder))
                tasks.start_soon(candidate.hold)
            async with self._sandbox.open("tester", folder=self._folder) as tests:
                await tests.send(json.dumps(told).encode())
                cell = None
                if candidate is not None:
                    cell = await candidate.opened()
                    await cell.send(json.dumps(program).encode())
                self._ends = time.monotonic() + self._seconds
                await self._relay(tests, cell)
                if candidate is not None:
                    candidate.release()
                ending = await tests.close()
            if not self.done:
                self.ended = self.ended or ending.outcome or Outcome.ERROR
                self.detail = self.detail or f"the tests' own process: {_WHY.get(self.ended, 'it ended early')}"
            self.output = printed(ending if candidate is None else await candidate.ended())

    async def command(self, told: dict[str, Any]) -> tuple[int | None, Ending]:
        """Run a command in a cell: its exit code, None where it came to none, and how the cell ended."""
        async with self._sandbox.open("command", folder=self._folder) as cell:
            await cell.send(json.dumps(told).encode())
            answer = None
            with anyio.move_on_after(self._seconds):
                answer = _read(await cell.receive() or b"")
                if not isinstance(answer.get("exit"), int):
                    answer = {}
            ending = await cell.close()
        if answer is None:
            ending = Ending(ending.outcome or Outcome.TIMEOUT, ending.output, ending.seconds)
        if ending.outcome is not None:
            self.detail = _WHY[ending.outcome]
        self.missing = (answer or {}).get("missing")
        return (answer or {}).get("exit"), ending

    async def _relay(self, tests: Cell, candidate: Cell | None) -> None:
        while (frame := await self._said(tests)) is not None:
            kind, body = frame[:1], frame[1:]
            if kind in (b"Q", b"A"):
                await tests.send(await self._answered(candidate, frame))
            elif kind == b"S":
                self.running = _case(_read(body))
                if self._each:
                    self._ends = time.monotonic() + self._seconds
            elif kind == b"C" and len(self.cases) < _MOST_CASES:
                self.cases.append(_case(_read(body)))
            elif kind == b"U":
                self.missing = str(_read(body).get("missing"))
                return
            elif kind == b"D":
                self.done = True
                return
            else:
                return

    async def _said(self, tests: Cell) -> bytes | None:
        with anyio.move_on_after(max(self._ends - time.monotonic(), 0.0) + GRACE):
            return await tests.receive()
        self.ended, self.detail = Outcome.TIMEOUT, "the tests took too long"
        return None

    async def _answered(self, candidate: Cell | None, frame: bytes) -> bytes:
        """What the program says to that; or that it will say no more, and why."""
        if candidate is None:
            return _gone(Outcome.ERROR, "there is no program")
        if self.gone is not None:
            return _gone(self.gone, self.error)
        left = self._ends - time.monotonic()
        if left > 0:
            await candidate.send(frame)
            with anyio.move_on_after(left):
                answer = await candidate.receive()
                if answer is not None and answer[:1] in (b"Q", b"A") and len(answer) <= _MOST_FRAME:
                    self.asked += not frame.startswith(_PREPARING)
                    return answer
                if answer is not None:
                    self.gone, self.error = Outcome.ERROR, "the program broke the channel to its tests"
        else:
            await anyio.lowlevel.checkpoint()
        late = time.monotonic() >= self._ends
        ending = await candidate.close()
        if self.gone is None:
            outcome = ending.outcome or (Outcome.TIMEOUT if late else None)
            self.gone, self.error = outcome or Outcome.ERROR, _WHY[outcome]
            if outcome is Outcome.TIMEOUT:
                self.error = f"it took longer than {self._seconds:g} seconds"
        return _gone(self.gone, self.error)


class _Beside:
    """A cell that is opened and closed in a task of its own, at the same time as another."""

    def __init__(self, opening: AbstractAsyncContextManager[Cell]) -> None:
        self._opening = opening
        self._open, self._released, self._closed = anyio.Event(), anyio.Event(), anyio.Event()
        self._cell: Cell | None = None
        self._ending = Ending(Outcome.SANDBOX)

    async def hold(self) -> None:
        async with self._opening as self._cell:
            self._open.set()
            await self._released.wait()
            self._ending = await self._cell.close()
        self._closed.set()

    async def opened(self) -> Cell:
        await self._open.wait()
        assert self._cell is not None  # noqa: S101
        return self._cell

    def release(self) -> None:
        self._released.set()

    async def ended(self) -> Ending:
        await self._closed.wait()
        return self._ending


def printed(ending: Ending) -> str:
    """What a cell printed, cut."""
    text = ending.output.decode("utf-8", "replace")
    half = _MOST_OUTPUT // 2
    return text if len(text) <= _MOST_OUTPUT else f"{text[:half]}\n…\n{text[-half:]}"


def _gone(outcome: Outcome, detail: str) -> bytes:
    return b"G" + json.dumps({"outcome": outcome, "detail": detail}).encode()


def _read(body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _case(told: dict[str, Any]) -> Case:
    """What the tests' cell said of a test; what it should not have said is an error of that test."""
    name, line, near = told.get("name"), told.get("line"), told.get("closeness", 0.0)
    try:
        outcome = Outcome(told.get("outcome", Outcome.ERROR))
    except ValueError:
        outcome = Outcome.ERROR
    return Case(
        name=name if isinstance(name, str) else "?",
        outcome=outcome,
        line=line if type(line) is int else None,
        source=_text(told.get("source")) or "",
        actual=_text(told.get("actual")),
        expected=_text(told.get("expected")),
        detail=_text(told.get("detail")) or "",
        closeness=min(max(float(near), 0.0), 1.0) if isinstance(near, float | int) and near == near else 0.0,
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
