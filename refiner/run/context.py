"""The one door for effects: reserve, look up, act, commit, settle, publish."""

import hashlib
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

import anyio
from tenacity import AsyncRetrying

from refiner.domain.calls import Capabilities, Count, Message, Provider, Reply, Request, Role, Usage
from refiner.domain.code import Execution, Judge, Outcome, Suite
from refiner.domain.errors import RefinerError, SandboxError, UsageError
from refiner.domain.events import (
    CallFailed,
    CallFinished,
    CallStarted,
    ChainStopped,
    Delta,
    Evaluation,
    Event,
    Executed,
    Note,
)
from refiner.domain.run import Plan, Stop, StopReason
from refiner.domain.state import RunState
from refiner.run.critiques import Critiques, Read
from refiner.run.journal import Journal
from refiner.run.ledger import ExhaustedError, Ledger

GRACE = 5.0
"""Seconds that a call under way is given to finish, since it is paid for, when the run is told to stop."""

T = TypeVar("T")
Policy = Callable[[RunState, int], Stop | None]


@dataclass(frozen=True, slots=True)
class Line:
    """A model as a run reaches it: the provider, a place among its concurrent calls, and how calls are retried.

    lasting: calls outlive this process, and whether the one of a step does: then, cut off, it stays open in the journal
    until its answer is fetched, and else it was never made.
    """

    provider: Provider
    slot: Callable[[], AbstractAsyncContextManager[object]]
    retrying: Callable[[], AsyncRetrying]
    capabilities: Capabilities = field(default_factory=Capabilities)
    lasting: Callable[[str], bool] | None = None


class RunContext:
    """What a strategy sees of the world: one run's calls, its events, its state and its stop rules.

    answers: each answer of the run as it was first written, those of candidates about to be recorded among them;
    comparing: held by whoever looks one up and adds it. purse: what this run and others may spend together.
    """

    def __init__(
        self,
        journal: Journal,
        lines: Mapping[str, Line],
        policy: Policy,
        judge: Judge | None = None,
        purse: Ledger | None = None,
    ) -> None:
        self.journal = journal
        self._lines = lines
        self._policy = policy
        self._judge = judge
        self._ledger = Ledger(self.plan.limits, journal.state.usage, above=purse)
        self._places = anyio.Semaphore(self.plan.concurrency, fast_acquire=True)
        self._interrupted: Stop | None = None
        self._scopes: dict[anyio.CancelScope, bool] = {}
        self._going = anyio.Event()
        self._going.set()
        steps = (step for chain in self.state.chains.values() for step in chain.steps)
        self.answers = list(dict.fromkeys(step.candidate.parsed for step in steps if step.candidate.parsed is not None))
        self.comparing = anyio.Lock()
        self.critiques = Critiques(journal)
        self._deadline = self._end()

    @property
    def plan(self) -> Plan:
        assert self.state.plan is not None  # noqa: S101
        return self.state.plan

    @property
    def state(self) -> RunState:
        return self.journal.state

    def capabilities(self, role: Role) -> Capabilities:
        return self._line(role).capabilities

    async def record(self, *events: Event) -> None:
        """Commit events that follow from what is already paid for; those that happened before are left as they are."""
        await self.journal.record(*events)

    async def note(self, text: str) -> None:
        """Tell the user something, once a run."""
        if text not in self.state.notes:
            await self.record(Note(text))

    def stop(self, chain: int) -> Stop | None:
        """What the stop rules say of a chain; what they said before a crash stands."""
        return self.stop_at(self.state, chain)

    def stop_at(self, state: RunState, chain: int) -> Stop | None:
        """The same for a state that a repeated run goes through on its way to where it was."""
        stopped = self.journal.past(f"{chain}/stopped")
        return stopped.stop if isinstance(stopped, ChainStopped) else self._policy(state, chain)

    def interrupt(self, stop: Stop, grace: float = GRACE) -> None:
        """Start no further call; calls under way get `grace` seconds to finish. Each then raises ExhaustedError."""
        self._interrupted = stop
        self._going.set()
        for scope, under_way in self._scopes.items():
            scope.deadline = min(scope.deadline, anyio.current_time() + (grace if under_way else 0.0))

    def pause(self) -> None:
        """Start no further call until `go_on`; calls under way are finished."""
        if self._going.is_set() and not self._interrupted:
            self._going = anyio.Event()

    def go_on(self) -> None:
        """Go on after a pause, which does not count as time of the run."""
        self._deadline = self._end()
        self._going.set()
        self.critiques.let_go()

    async def criticised(self, evaluation: Evaluation, read: Read) -> Evaluation:
        """Record a critique and give what is to be used: while the run is paused or held, somebody may edit it.

        What it waits for that does not count as time of the run.
        """
        critique, seconds = await self.critiques.opened(evaluation, read)
        if seconds is not None and not self._interrupted:
            with self._scope(anyio.current_time() + seconds):
                await critique.done.wait()
            self._deadline = self._end()
        if not self._going.is_set():
            await self._going.wait()
        return await self.critiques.used(critique)

    def rebudget(self) -> None:
        """Keep to the limits that the plan has now."""
        self._ledger.rebudget(self.plan.limits)
        self._deadline = self._end()

    def _end(self) -> float:
        seconds = self.plan.limits.seconds
        return float("inf") if seconds is None else anyio.current_time() + seconds - self.state.seconds

    @contextmanager
    def _scope(self, deadline: float, *, under_way: bool = False) -> Iterator[anyio.CancelScope]:
        """What an interruption ends, at once or, when it is under way, after its grace."""
        with anyio.CancelScope(deadline=deadline) as scope:
            self._scopes[scope] = under_way
            try:
                yield scope
            finally:
                del self._scopes[scope]

    async def _door(self) -> None:
        """Wait out a pause. Raises ExhaustedError when the run was told to stop."""
        if not self._going.is_set():
            await self._going.wait()
        if self._interrupted:
            raise ExhaustedError(self._interrupted)

    async def count(self, messages: tuple[Message, ...], role: Role) -> Count:
        return await self._line(role).provider.count(Request(messages, 1))

    async def call(
        self,
        key: str,
        role: Role,
        messages: tuple[Message, ...],
        *,
        temperature: float | None = None,
        prediction: str | None = None,
        most: int | None = None,
    ) -> Reply:
        """The reply of a step: the recorded one if it was paid for, otherwise that of a new call.

        The key is the step's place in the run (chain/iteration/role/place). most: tokens of a reply that is known to be
        short, where that is less than the run allows. Raises ExhaustedError when the budget has
        no room for it or the run was told to stop, ProviderError after the retries, ContextLengthError.
        """
        if (recorded := self.journal.reply(key)) is not None:
            return recorded
        await self._door()
        request = self._request(key, role, messages, temperature, prediction)
        if most is not None:
            request = replace(request, max_output_tokens=min(request.max_output_tokens, most))
        with self._scope(self._deadline) as scope:
            return await self._retried(key, role, request, scope)
        raise ExhaustedError(self._over)

    async def execute(self, chain: int, index: int, source: str, suite: Suite, against: str = "tests") -> Execution:
        """A candidate's program against tests: the recorded execution, otherwise a new one.

        Raises SandboxError when the sandbox itself fails twice, UsageError where the given program meets no test,
        ExhaustedError when the run was told to stop.
        """
        place = Executed(chain, index, Execution(Outcome.SANDBOX), against).place
        if isinstance(past := self.journal.past(place), Executed):
            return past.execution
        execution = await self.tried(source, suite)
        if execution.outcome is Outcome.SANDBOX:
            execution = await self.tried(source, suite)
        if execution.outcome is Outcome.SANDBOX:
            raise SandboxError(f"the sandbox failed twice: {execution.detail}; see `refiner doctor`")
        if source == self.plan.task.program and execution.outcome is Outcome.ERROR and not execution.cases:
            raise UsageError(
                f"{execution.detail}: with the given program all tests are skipped, or none is found; `pytest -rs` "
                "says why, and the sandbox has no network and none of your environment's variables"
            )
        await self.record(Executed(chain, index, execution, against))
        return execution

    async def tried(self, source: str, suite: Suite) -> Execution:
        """A program that is no candidate against tests. It costs nothing and is repeatable, so it is not recorded."""
        return await self._effect(lambda judge: judge.judge(source, suite, seed=self.plan.seed))

    async def observe(self, source: str, suite: Suite, expressions: Sequence[str]) -> tuple[str, ...]:
        """What expressions over a program come to. It costs nothing and is repeatable, so it is not recorded."""
        return await self._effect(lambda judge: judge.observe(source, suite, expressions, seed=self.plan.seed))

    async def _effect(self, work: Callable[[Judge], Awaitable[T]]) -> T:
        assert self._judge is not None  # noqa: S101
        await self._door()
        with self._scope(self._deadline, under_way=True):
            return await work(self._judge)
        raise ExhaustedError(self._over)

    @property
    def _over(self) -> Stop:
        seconds = self.plan.limits.seconds
        return self._interrupted or Stop(StopReason.TIME, f"the {seconds:g} seconds of the run are over")

    async def _retried(self, key: str, role: Role, request: Request, scope: anyio.CancelScope) -> Reply:
        line = self._line(role)
        async for trial in line.retrying():
            with trial:
                async with self._places, line.slot():
                    reply = await self._attempt(key, role, line, request, scope)
        for note in reply.notes:
            await self.note(note)
        return reply

    async def _attempt(self, key: str, role: Role, line: Line, request: Request, scope: anyio.CancelScope) -> Reply:
        provider = line.provider
        count = await provider.count(request)
        if line.capabilities.context_tokens and count.exact:
            room = max(1, line.capabilities.context_tokens - count.tokens)
            request = replace(request, max_output_tokens=min(request.max_output_tokens, room))
        reserved = await self._ledger.reserve(count.tokens, request.max_output_tokens, provider.price)
        attempt = self.journal.next_attempt(key)
        step = f"{self.journal.run}/{key}#{attempt}"
        request = replace(request, max_output_tokens=reserved.output_tokens, step=step)
        booked = Usage()
        ended: Event | None = None
        # From here on an end at once would book a call that may never have left.
        self._scopes[scope] = True
        try:
            await self.record(_started(key, attempt, role, provider.name, request, reserved))
            booked = reserved
            ended = None if line.lasting else CallFailed(key, attempt, "interrupted", reserved)
            reply = await provider.complete(request, partial(self._delta, key) if self.journal.streams else None)
            booked = used(reply, reserved, provider)
            reply = replace(reply, usage=booked)
            ended = CallFinished(key, attempt, reply)
        except RefinerError as error:
            if booked is reserved:
                booked = booked if getattr(error, "billed", False) else Usage()
                ended = CallFailed(key, attempt, str(error), booked)
            raise
        finally:
            self._scopes[scope] = False
            if line.lasting and not ended and not line.lasting(step):
                booked, ended = Usage(), CallFailed(key, attempt, "interrupted", Usage())
            self._ledger.settle(reserved, booked)
            if ended:
                with anyio.CancelScope(shield=True):
                    await self.record(ended)
        return reply

    def _request(
        self, key: str, role: Role, messages: tuple[Message, ...], temperature: float | None, prediction: str | None
    ) -> Request:
        takes = self.capabilities(role)
        seed = int.from_bytes(hashlib.blake2b(f"{self.plan.seed}/{key}".encode(), digest_size=4).digest()) >> 1
        unlimited = self.plan.limits.tokens is None and self.plan.limits.cost_usd is None
        return Request(
            messages,
            self.plan.max_output_tokens,
            temperature if takes.temperature or self.plan.temperature is not None else None,
            seed if takes.seed else None,
            prediction if takes.prediction and unlimited else None,
            self.plan.reasoning_effort,
        )

    def _delta(self, key: str, text: str) -> None:
        self.journal.publish(Delta(self.journal.run, key, text))

    def _line(self, role: Role) -> Line:
        return self._lines[self.plan.models.of(role)]


def used(reply: Reply, reserved: Usage, provider: Provider) -> Usage:
    """What a reply is booked at: the provider's own figures, and without them the most that it can have been."""
    if not reply.usage.estimated:
        return replace(reply.usage, calls=1)
    written = len(reply.text.encode("utf-8", "surrogatepass"))
    most = replace(reserved, output_tokens=min(reserved.output_tokens, written), estimated=True)
    return replace(most, cost_usd=provider.price(most))


def _started(key: str, attempt: int, role: Role, model: str, request: Request, reserved: Usage) -> CallStarted:
    return CallStarted(
        key,
        attempt,
        role,
        model,
        digest(request),
        request.messages,
        request.max_output_tokens,
        reserved,
        request.temperature,
        request.seed,
    )


def digest(request: Request) -> str:
    """The hash of everything that a request says, sampling included."""
    return hashlib.sha256(repr(request).encode("utf-8", "surrogatepass")).hexdigest()
