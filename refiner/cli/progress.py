"""What is seen on standard error while a run goes on: one live line, or with -v every critique and diff."""

import difflib
import os
import sys
import time
from dataclasses import dataclass, field
from typing import TextIO

from refiner.cli import output
from refiner.domain.calls import Usage, short
from refiner.domain.code import Execution
from refiner.domain.events import (
    CallFailed,
    CallStarted,
    Candidate,
    Decision,
    Delta,
    Evaluation,
    Executed,
    Gradient,
    Heard,
    Note,
    Recorded,
)
from refiner.domain.result import Result
from refiner.domain.run_model import RunModel, heard
from refiner.strategies.report import failure


def spent(usage: Usage) -> str:
    """Calls, tokens and dollars in a phrase."""
    cost = "cost unknown" if usage.cost_usd is None else f"${usage.cost_usd:.4f}"
    calls = "1 call" if usage.calls == 1 else f"{usage.calls} calls"
    return f"{calls}, {short(usage.tokens)} tokens, {cost}"


def closing(result: Result) -> str:
    """The last line of a run."""
    done = max((iteration.index for iteration in result.iterations), default=0)
    iterations = "1 iteration" if done == 1 else f"{done} iterations"
    return f"stopped: {result.stop.reason} after {iterations}, {spent(result.usage)}, run {result.id}"


def ran(execution: Execution) -> str:
    """An execution in a phrase."""
    trust = "" if execution.trusted else ", trusted less: tests and program shared a process"
    return f"{execution.outcome}, {execution.passed} of {execution.total}, {execution.seconds:.1f} s{trust}"


def columns(stream: TextIO) -> int:
    """How wide a terminal is; 80 where it does not say."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def joining(done: int, total: int) -> None:
    """The bar of an embedded model whose weights are put together; seen on a terminal only, and once a machine."""
    if sys.stderr is None or not sys.stderr.isatty():
        return
    share = done / total if total else 1.0
    bar = "█" * round(30 * share)
    sys.stderr.write(f"\r\x1b[Kpreparing the embedded model {bar:·<30} {done / 1e6:.0f} of {total / 1e6:.0f} MB")
    if done >= total:
        sys.stderr.write("\r\x1b[K")
    sys.stderr.flush()


@dataclass
class Progress:
    """A listener of events: keeps one line up to date on a terminal, and tells all that happens where `verbose`."""

    stream: TextIO = field(default_factory=lambda: sys.stderr)
    live: bool = False
    verbose: bool = False
    quiet: bool = False
    model: RunModel = field(default_factory=RunModel)
    _written: int = 0
    _shown: float = 0.0

    def __call__(self, what: Heard) -> None:
        self.model = heard(self.model, what)
        if isinstance(what, Delta):
            self._written += 1
            if time.monotonic() - self._shown > 0.1:
                self._show()
            return
        self._tell(what)
        if isinstance(what.event, CallStarted):
            self._written = 0
        self._show()

    def clear(self) -> None:
        """Take the live line away."""
        if self.live:
            self.stream.write("\r\x1b[K")
            self.stream.flush()

    def _show(self) -> None:
        self._shown = time.monotonic()
        state, writing = self.model.state, next(iter(self.model.latest), None)
        if self.live and writing:
            phase = f"chain {writing.chain}, iteration {writing.iteration}: {self.model.phase}"
            pieces = f", {self._written} pieces" if self._written else ""
            text = f"{phase}{pieces} · {spent(state.usage)} · {state.seconds:.0f} s"
            # A full row wraps, as it would with the terminal's ^C, and a wrapped line cannot be taken back.
            self.stream.write(f"\r\x1b[K{text[: columns(self.stream) - 3]}")
            self.stream.flush()

    def _tell(self, recorded: Recorded) -> None:
        match recorded.event:
            case _ if self.quiet:
                pass
            case Note(text=text) | CallFailed(error=text):
                self._say(text)
            case _ if not self.verbose:
                pass
            case Candidate() as candidate:
                self._candidate(candidate)
            case Executed(execution=execution) as run:
                against = {"tests": "tests", "test": "test set"}.get(run.against, "tests made for it")
                self._block(f"{against} of {run.chain}/{run.index}: {ran(execution)}", failure(execution))
            case Evaluation() as said:
                self._block(f"critique of {said.chain}/{said.index} ({said.verdict})", said.critique)
            case Gradient() as gradient:
                self._block(f"gradient of {gradient.chain}/{gradient.index}", gradient.text)
            case Decision() as decision:
                word = "accepted" if decision.accepted else "rejected"
                self._say(f"candidate {decision.chain}/{decision.index} {word}: {decision.reason}")

    def _candidate(self, candidate: Candidate) -> None:
        before = [step.candidate for step in self.model.state.chain(candidate.chain).accepted]
        if not before:
            return self._block(f"draft {candidate.chain}/{candidate.index}", candidate.text)
        old, new = before[-1].text.splitlines(), candidate.text.splitlines()
        names = (f"{candidate.chain}/{before[-1].index}", f"{candidate.chain}/{candidate.index}")
        return self._block(f"update {names[1]}", "\n".join(difflib.unified_diff(old, new, *names, lineterm="")))

    def _block(self, title: str, text: str) -> None:
        lines = "\n".join(f"  {line}" for line in output.clean(text).splitlines())
        self._write(f"── {title}\n{lines}\n")

    def _say(self, text: str) -> None:
        self._write(f"refiner: {output.line(text)}\n")

    def _write(self, text: str) -> None:
        self.clear()
        self.stream.write(text)
        self.stream.flush()
