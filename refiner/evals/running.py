"""An eval from its first item to its last, in as many processes as it takes."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from math import ceil

import anyio

from refiner.autograd.concurrent import bare_errors
from refiner.domain.calls import Usage
from refiner.domain.errors import AuthError, NotFoundError, RefinerError, StoreError, UsageError
from refiner.domain.evals import Answered, EvalStatus, Part, Results, Sitting
from refiner.domain.events import RunResumed
from refiner.domain.run import Limits, Plan, Stop, StopReason
from refiner.domain.state import RunState, fold
from refiner.domain.task import Kind
from refiner.evals.arms import refined_verdict
from refiner.evals.datasets.item import Fingerprint, Item, difference, fingerprint
from refiner.evals.scoring import scored
from refiner.evals.waves import Waves
from refiner.run.context import GRACE, Line, RunContext
from refiner.run.journal import Journal
from refiner.run.ledger import Ledger
from refiner.store.sql import SqlStore
from refiner.strategies.drive import Connect, World, connect_all, resume_run

FAILURES = 10
"""Failures in a row, or as many as there are items at a time, that are an outage."""

MOST_SAMPLES = 1_000
AHEAD = 1.5
"""Items at a time to calls at a time: while some are scored and stored, others keep the provider busy."""

Place = tuple[int, int, Part]


@dataclass(frozen=True, slots=True)
class Conditions:
    """How an eval is run.

    items: in the order in which they were stored. plan: of an item, by its number and the replicate. limits: of the
    whole eval. vote: as in refiner.evals.arms. concurrency: calls at a time, over all items.
    """

    items: Sequence[Item]
    plan: Callable[[int, int], Plan]
    replicates: int = 1
    control: bool = True
    limits: Limits = field(default_factory=Limits)
    vote: str = "own"
    concurrency: int = 8


@dataclass(frozen=True, slots=True)
class Going:
    """How far an eval is. over, parts: runs that have come to their end, of all. right, judged: refined answers.
    to_go: seconds and US dollars that the rest may take, None while nothing is known."""

    over: int
    parts: int
    failed: int
    right: int
    judged: int
    usage: Usage
    seconds: float
    to_go: tuple[float, float | None] | None


def same_items(results: Results, items: Sequence[Item]) -> list[Item]:
    """The items in the order of an eval that began with them. Raises UsageError where it did not: with what differs."""
    before = Fingerprint({answered.item.id: answered.item.digest for answered in results.answered})
    if changed := difference(before, fingerprint(items)):
        raise UsageError(f"the data set is not the one that eval {results.eval.id} began with: {changed}")
    known = {item.id: item for item in items}
    return [known[name] for name in before.items]


def control(plan: Plan, used: Usage) -> Plan:
    """Samples at the calls and at the tokens that the strategy used, whichever takes more of them."""
    chains = min(MOST_SAMPLES, 8 * used.calls + 8) if used.calls else 1
    until = f"calls:{max(1, used.calls)} & tokens:{max(1, used.tokens)}"
    least = min(chains, max(1, used.calls))
    return replace(
        plan, strategy="sample", chains=chains, least=least, iterations=0, until=until, limits=Limits(), adaptive=False
    )


class Running:
    """Runs the items of an eval that this process holds; what was paid for is never paid for twice."""

    def __init__(
        self,
        world: World,
        store: SqlStore,
        name: str,
        conditions: Conditions,
        listener: Callable[[Going], None] = lambda _: None,
        waves: Waves | None = None,
    ) -> None:
        self._store, self._name, self._on, self._listener = store, name, conditions, listener
        self._places = anyio.Semaphore(conditions.concurrency, fast_acquire=True)
        self._purse = Ledger(conditions.limits, whole=True)
        connect = waves.connect if waves else self._bounded(world.connect)
        self._world = replace(world, connect=connect, purse=self._purse)
        self._waves, self._at_work = waves, 0
        self._known: dict[Place, Sitting] = {}
        self._live: dict[str, RunContext] = {}
        self._held: set[str] = set()
        self._over = 0
        self._failed: list[tuple[int, int]] = []
        self._streak = 0
        self._ended: tuple[EvalStatus, str] | None = None
        self._stop: Stop | None = None
        self._began, self._before, self._at_start = 0.0, 0.0, 0
        self._right = self._judged = 0

    async def run(self) -> None:
        """Run all that is not over; what failed is tried once more at the end. Raises StoreError, UsageError."""
        results = await self._store.evals.results(self._name)
        try:
            await self._check()
            with bare_errors():
                async with anyio.create_task_group() as beside:
                    beside.start_soon(self._clock)
                    if self._waves:
                        beside.start_soon(self._waves.run, self._all_wait, self._lost)
                    await self._settle(results)
                    await self._every(self._pending())
                    again, self._failed, self._streak = self._failed, [], 0
                    await self._every(iter(again))
                    beside.cancel_scope.cancel()
        except BaseException as error:
            status: EvalStatus = "failed" if isinstance(error, RefinerError) else "interrupted"
            with anyio.CancelScope(shield=True), suppress(StoreError):
                await self._store.evals.end(self._name, status, str(error), self.seconds)
            raise
        ended, why = self._ended or ("done", "")
        await self._store.evals.end(self._name, ended, why, self.seconds)

    @property
    def seconds(self) -> float:
        """At work, in all processes."""
        return self._before + (anyio.current_time() - self._began if self._began else 0.0)

    def halt(self, status: EvalStatus, why: str, stop: Stop | None = None) -> None:
        """Begin nothing more. stop: end what is under way, too; calls that are out get a while to finish."""
        self._ended = self._ended or (status, why)
        if stop:
            self._stop = stop
            if self._waves:
                self._waves.leave()
            for context in self._live.values():
                context.interrupt(stop, 0.0 if self._waves else GRACE)

    def _lost(self, error: RefinerError) -> None:
        """A batch cannot be waited for: what is in it is fetched when the eval is gone on with."""
        self.halt("failed", str(error), Stop(StopReason.SIGNAL, f"cancel: {error}"))

    def _all_wait(self, waiting: Counter[str]) -> bool:
        """Whether these calls, by run, are all that are out, and each other one waits for them or for their room."""
        every = len(self._live) == self._at_work and self._live.keys() <= waiting.keys()
        return self._purse.reserved.calls == waiting.total() and (every or self._purse.full)

    async def _check(self) -> None:
        """Raise what would befall every item before the first call is made."""
        plans = {(plan := self._on.plan(number, 0)).strategy: plan for number in range(len(self._on.items))}
        for plan in plans.values():
            await connect_all(self._world, replace(plan, limits=self._on.limits))
        if self._world.judge and any(item.kind is Kind.CODE for item in self._on.items):
            await self._world.judge()

    async def _settle(self, results: Results) -> None:
        """Take up what there is: calls that were under way are booked at their most before anything is spent."""
        self._before, self._began = results.eval.seconds, anyio.current_time()
        opened: list[Journal] = []
        for number, replicate, answered in self._answered(results):
            for part, sitting in _parts(answered):
                self._known[number, replicate, part] = replace(sitting, marks=(), latencies=())
                self._over += sitting.over
                if sitting.run and not sitting.over:
                    opened += await self._take(sitting.run)
            self._count(number, answered.refined)
        self._at_start = self._over
        if self._waves:
            await self._waves.fetch(opened)
        if self._ended:
            return
        for journal in opened:
            await journal.book_interrupted()
        self._purse.spent = (await self._store.evals.results(self._name)).eval.usage
        self._began = anyio.current_time()

    def _answered(self, results: Results) -> Iterator[tuple[int, int, Answered]]:
        for place, answered in enumerate(results.answered):
            yield place // self._on.replicates, answered.replicate, answered

    async def _take(self, run: str) -> list[Journal]:
        """Hold a run that is not done; its journal, where calls of it are open."""
        journal = await Journal.open(self._store, run)
        if journal.state.status == "done":
            return []
        await self._store.claim(run)
        self._held.add(run)
        if not journal.state.under_way:
            return []
        await journal.record(RunResumed(journal.state.resumptions + 1))
        return [journal]

    def _pending(self) -> Iterator[tuple[int, int]]:
        parts: tuple[Part, ...] = ("refined", "samples") if self._on.control else ("refined",)
        for replicate in range(self._on.replicates):
            for number in range(len(self._on.items)):
                known = (self._known.get((number, replicate, part)) for part in parts)
                if not all(sitting and sitting.over for sitting in known):
                    yield number, replicate

    async def _every(self, places: Iterator[tuple[int, int]]) -> None:
        async def work() -> None:
            for number, replicate in places:
                if self._ended:
                    return
                self._at_work += 1
                await self._item(number, replicate)
                self._at_work -= 1

        async with anyio.create_task_group() as group:
            for _ in range(ceil(AHEAD * self._on.concurrency)):
                group.start_soon(work)

    async def _item(self, number: int, replicate: int) -> None:
        plan = self._on.plan(number, replicate)
        refined = await self._part((number, replicate, "refined"), plan)
        if self._on.control and refined and refined.over and not self._ended:
            await self._part((number, replicate, "samples"), control(plan, refined.usage))

    async def _part(self, place: Place, plan: Plan) -> Sitting | None:
        """What a part comes to; None where it was interrupted and has to be gone on with."""
        known, run = self._known.get(place), None
        if known and known.over:
            return known
        try:
            if known and known.run:
                run, state = known.run, await self._resumed(known.run)
            else:
                run = await self._store.new_id()
                await self._store.evals.begin(self._name, place, run, plan)
                self._known[place] = Sitting(run)
                state = await self._driven(run)
            if state.status != "done":
                self._interrupted(state)
                return None
            judge = await self._world.judge() if self._world.judge and plan.task.kind is Kind.CODE else None
            sitting = await scored(run, await self._store.events(run), self._on.items[place[0]], judge)
            self._streak = 0
        except StoreError:
            raise
        except RefinerError as error:
            sitting = Sitting(run, failure=str(error))
            self._failure(place, error)
        await self._store.evals.finish(self._name, place, sitting, self.seconds)
        self._known[place] = replace(sitting, marks=(), latencies=())
        self._over += sitting.over
        if place[2] == "refined":
            self._count(place[0], sitting)
        self._listener(self.going)
        return sitting

    async def _resumed(self, run: str) -> RunState:
        state = fold(await self._store.events(run))
        if state.status == "done":
            return state
        if run not in self._held:
            opened = await self._take(run)
            if self._waves:
                await self._waves.fetch(opened)
        self._held.discard(run)
        return await self._driven(run)

    async def _driven(self, run: str) -> RunState:
        def started(context: RunContext) -> None:
            self._live[run] = context
            if self._stop:
                context.interrupt(self._stop)

        try:
            return await resume_run(self._world, run, started=started)
        finally:
            self._live.pop(run, None)

    def _interrupted(self, state: RunState) -> None:
        stop = state.finished.stop if state.finished else None
        word, _, why = stop.detail.partition(": ") if stop else ("", "", "")
        if word == "budget":
            self.halt("budget", why)

    def _failure(self, place: Place, error: RefinerError) -> None:
        self._failed.append(place[:2])
        self._streak += 1
        if isinstance(error, AuthError | NotFoundError) or self._streak >= max(FAILURES, self._on.concurrency):
            self.halt("failed", str(error))

    def _count(self, number: int, refined: Sitting | None) -> None:
        item = self._on.items[number]
        if item.answer is None and item.kind is not Kind.CODE:
            return
        right = refined_verdict(refined, item.kind, self._on.vote).right
        self._judged += right is not None
        self._right += bool(right)

    def _bounded(self, connect: Connect) -> Connect:
        """The same lines, with so many calls at a time over all items."""

        async def bounded(name: str, base_url: str | None) -> Line:
            line = await connect(name, base_url)

            @asynccontextmanager
            async def slot() -> AsyncIterator[None]:
                async with self._places, line.slot():
                    yield

            return replace(line, slot=slot)

        return bounded

    @property
    def going(self) -> Going:
        parts = len(self._on.items) * self._on.replicates * (2 if self._on.control else 1)
        over, spent = self._over, self._purse.spent
        done, rest, to_go = over - self._at_start, parts - over, None
        if done:
            seconds = (anyio.current_time() - self._began) / done * rest
            to_go = seconds, None if spent.cost_usd is None else spent.cost_usd / over * rest
        return Going(over, parts, len(self._failed), self._right, self._judged, spent, self.seconds, to_go)

    async def _clock(self) -> None:
        """Say how far it is each second, and end it with its time."""
        most = self._on.limits.seconds
        while most is None or self.seconds < most:
            await anyio.sleep(1.0 if most is None else min(1.0, most - self.seconds))
            self._listener(self.going)
        why = f"the {most:g} seconds of the eval are over"
        self.halt("budget", why, Stop(StopReason.SIGNAL, f"budget: {why}"))


def _parts(answered: Answered) -> Iterator[tuple[Part, Sitting]]:
    if answered.refined:
        yield "refined", answered.refined
    if answered.samples:
        yield "samples", answered.samples
