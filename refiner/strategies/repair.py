"""`repair`: programs tried against their tests, wider or deeper as it pays, until one passes (AB-MCTS, 2503.04412)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from refiner.autograd.concurrent import gather
from refiner.domain.events import ChainStopped
from refiner.domain.run import Stop, StopReason
from refiner.domain.state import Step
from refiner.prompts import Prompts
from refiner.run.context import RunContext
from refiner.run.ledger import ExhaustedError
from refiner.strategies.bandit import Belief, believed, choose
from refiner.strategies.loop import OF_THE_RUN
from refiner.strategies.programs import Workshop
from refiner.strategies.report import dead_end
from refiner.strategies.scrutiny import scrutinise
from refiner.strategies.untested import untested
from refiner.strategies.verbs import EXPLORING
from refiner.verify.program import outline

WAVE = 2
"""Moves made at a time once the first one has failed: more would be wasted when one of them passes."""
DEAD_ENDS = 4
"""Dead ends that a new draft is told of."""

Kind = Literal["fix", "draft", "mend"]
_STRONG: dict[Kind, Belief] = {"fix": Belief(2, 1), "draft": Belief(2, 1), "mend": Belief(2, 1)}
_WEAK: dict[Kind, Belief] = {"fix": Belief(1, 2), "draft": Belief(3, 1), "mend": Belief(1, 3)}
"""What is believed before anything is seen; 36 repairs by a 0.5B model mended none of ten programs that drafts did."""
_ENDS = OF_THE_RUN | {StopReason.TESTS_PASS, StopReason.TARGET}


async def repair(context: RunContext, prompts: Prompts) -> Stop:
    """Mend the given program, or write one, until all tests pass; without tests, make some and take the majority."""
    shop = Workshop(context, prompts)
    if shop.task.suite is None:
        return await untested(shop)
    given = await shop.given()
    if given is not None and (stop := context.stop(0)) is not None and stop.reason is not StopReason.ITERATIONS:
        return stop
    search = _Search(shop, given)
    stop = await search.run()
    if stop.reason is StopReason.TESTS_PASS:
        await scrutinise(shop, [step for step in search.tried if step.score == 1.0])
    return stop


@dataclass(frozen=True, slots=True)
class _Move:
    """fix: mend the given program anew. draft: write one anew. mend: go on with a chain."""

    kind: Kind
    chain: int


@dataclass(slots=True)
class _Search:
    """The moves so far. They follow from scores and the seed alone, so that a resumed run repeats them."""

    shop: Workshop
    given: Step | None
    chains: dict[int, list[Step]] = field(default_factory=dict)
    scores: dict[Kind, list[float]] = field(default_factory=lambda: {"fix": [], "draft": [], "mend": []})
    closed: dict[int, Stop] = field(default_factory=dict)
    moves: int = 0

    @property
    def tried(self) -> list[Step]:
        return [step for steps in self.chains.values() for step in steps]

    async def run(self) -> Stop:
        while wave := self._wave():
            stops = await gather(*(partial(self._made, move, greedy=not self.tried) for move in wave))
            if ended := next((stop for stop in stops if stop and stop.reason in _ENDS), None):
                return ended
        updates = sum(len(steps) - 1 for steps in self.chains.values())
        return Stop(StopReason.ITERATIONS, f"drafts: {len(self.chains)}, repairs: {updates}; none passes all tests")

    def _wave(self) -> list[_Move]:
        wave: list[_Move] = []
        while len(wave) < (WAVE if self.tried else 1) and (move := self._next(wave)):
            wave.append(move)
        return wave

    def _next(self, taken: Sequence[_Move]) -> _Move | None:
        """The next move, beside those already taken for this wave; None when there is none left."""
        self.moves += 1
        drafts = len(self.chains) + sum(move.kind != "mend" for move in taken)
        first = 0 if self.given is None else 1
        busy = {move.chain for move in taken}
        live = [number for number in self.chains if number not in self.closed and number not in busy]
        kinds: list[Kind] = []
        if drafts < self.shop.context.plan.chains:
            kinds += self._anew()
        if live:
            kinds.append("mend")
        if not kinds:
            return None
        priors = _WEAK if self.shop.anew else _STRONG
        beliefs = {kind: believed(priors[kind], self.scores[kind]) for kind in kinds}
        first_move = kinds[-1] if self.shop.anew else kinds[0]
        kind = choose(beliefs, f"{self.shop.context.plan.seed}/{self.moves}") if self.tried else first_move
        if kind == "mend":
            return _Move(kind, max(live, key=lambda number: (self._current(number).score or 0.0, -number)))
        return _Move(kind, first + drafts)

    def _anew(self) -> list[Kind]:
        """How a chain may begin. A draft beside a given program needs its outline or tests to be written from."""
        task = self.shop.task
        if task.program is None:
            return ["draft"]
        told = outline(task.program) is not None or (task.suite is not None and task.suite.files)
        return ["fix", "draft"] if told else ["fix"]

    async def _made(self, move: _Move, *, greedy: bool) -> Stop | None:
        """Make a move; why the run ends, where it does."""
        try:
            step = await self._step(move, 0.0 if greedy else EXPLORING)
        except ExhaustedError as exhausted:
            return exhausted.stop
        self.chains.setdefault(move.chain, []).append(step)
        self.scores[move.kind].append((step.score or 0.0) if step.accepted else 0.0)
        stop = self.shop.context.stop(move.chain)
        if stop is not None:
            self.closed[move.chain] = stop
            await self.shop.context.record(ChainStopped(move.chain, step.candidate.index, stop))
        elif step.candidate.index == 0 and step.candidate.parsed is None:
            self.closed[move.chain] = Stop(StopReason.ERROR, "no program can be read from its draft")
        return stop

    async def _step(self, move: _Move, temperature: float) -> Step:
        if move.kind == "mend":
            current = self._current(move.chain)
            return await self.shop.mend(current, len(self.chains[move.chain]), temperature=temperature)
        if move.kind == "fix" and self.given is not None:
            return await self.shop.fix(move.chain, self.given, temperature=temperature, dead_ends=self._dead_ends())
        return await self.shop.draft(move.chain, temperature=temperature, dead_ends=self._dead_ends())

    def _current(self, chain: int) -> Step:
        return next(step for step in reversed(self.chains[chain]) if step.accepted)

    def _dead_ends(self) -> list[str]:
        ended = (self._current(chain).execution for chain in self.closed if self.chains[chain][0].accepted)
        return list(dict.fromkeys(dead_end(execution) for execution in ended if execution))[-DEAD_ENDS:]
