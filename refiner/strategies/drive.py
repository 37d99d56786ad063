"""A run from its first event to its last, in as many processes as it takes."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import anyio

from refiner.domain.calls import Usage
from refiner.domain.code import Judge, Outcome
from refiner.domain.errors import RefinerError, StoreError, UsageError
from refiner.domain.events import Note, RunFinished, RunResumed, RunStarted, Selected
from refiner.domain.run import Plan, Stop, StopReason
from refiner.domain.state import RunState
from refiner.domain.store import Store
from refiner.domain.task import Kind
from refiner.policies import language
from refiner.policies.presets import PRESETS
from refiner.prompts import Prompts
from refiner.run.context import Line, RunContext
from refiner.run.journal import Journal, Listener
from refiner.run.ledger import ExhaustedError, Ledger
from refiner.strategies import STRATEGIES, Strategy
from refiner.strategies.report import shortfall
from refiner.strategies.selection import select
from refiner.verify.empty import emptied

SIGNALS: Mapping[str, int] = {"SIGINT": 130, "SIGTERM": 143, "cancel": 130, "budget": 130}
"""Exit codes of a run that was interrupted; the stop's detail begins with the word, and a colon. budget: of all the
runs that it is one of."""

Connect = Callable[[str, str | None], Awaitable[Line]]


@dataclass(frozen=True, slots=True)
class World:
    """What a run needs from outside: a store, models by name and base URL, prompts, named stop rules, a sandbox.

    judge is asked for only by runs whose task is code; isolated: it does not run code without a sandbox. purse: what
    all of its runs may spend together.
    """

    store: Store
    connect: Connect
    prompts: Prompts = field(default_factory=Prompts)
    presets: Mapping[str, str] = field(default_factory=lambda: PRESETS)
    judge: Callable[[], Awaitable[Judge]] | None = None
    isolated: bool = True
    purse: Ledger | None = None


async def create(world: World, plan: Plan) -> str:
    """Store a new run that this process holds, and return its id; nothing is spent yet."""
    run = await world.store.new_id()
    await world.store.create(run)
    await world.store.append(run, [RunStarted(plan)])
    return run


async def resume_run(
    world: World,
    run: str,
    listener: Listener | None = None,
    started: Callable[[RunContext], None] | None = None,
    *,
    streams: bool = False,
    own: Strategy | None = None,
) -> RunState:
    """Drive a run that this process holds to its end, from wherever its journal leaves off.

    streams: the listener also hears replies while they are written. own: a strategy that is none of STRATEGIES, for
    runs that were begun with it. started is handed the run's context, through which the run can be interrupted. Errors
    of providers end the run as failed, with its best answer kept, and are raised with `run` set; a store that fails
    leaves the run as it stands.
    """
    journal = await Journal.open(world.store, run, listener, streams=streams)
    plan = journal.state.plan
    if plan is None:
        raise UsageError(f"run {run} was never started")
    strategy = STRATEGIES.get(plan.strategy, own)
    if strategy is None:
        raise UsageError(
            f"run {run} is no solving but a {plan.strategy}: the command that began it, or the program, goes on with it"
        )
    if own and strategy is not own:
        raise UsageError(f"run {run} is no descent of one's own: `refiner run resume {run}` goes on with it")
    state = journal.state
    if state.status != "running" or len(state.chains) or state.under_way or state.usage.calls:
        await journal.record(RunResumed(state.resumptions + 1))
        await journal.book_interrupted()
    try:
        lines = await connect_all(world, plan)
        judge = await world.judge() if world.judge and plan.task.kind is Kind.CODE else None
        context = RunContext(journal, lines, language.parse(rules(plan, strategy), world.presets), judge, world.purse)
        if started:
            started(context)
        stop = await _driven(context, world, strategy)
    except RefinerError as error:
        error.run = run
        if not isinstance(error, StoreError):
            await _failed(journal, strategy, error)
        raise
    return await _finished(journal, strategy, stop)


async def connect_all(world: World, plan: Plan) -> dict[str, Line]:
    """A line to each model of a plan. Raises UsageError where a cost limit cannot be kept for want of a price."""
    lines: dict[str, Line] = {}
    for name in plan.models.names:
        lines[name] = line = await world.connect(name, plan.models.base_url)
        if plan.limits.cost_usd is not None and line.provider.price(Usage(1, 1000, 0, 1000)) is None:
            raise UsageError(
                f"the price of {name} is unknown, so a cost limit cannot be kept: limit --max-tokens or --max-calls"
            )
    return lines


def rules(plan: Plan, strategy: Strategy | None = None) -> str:
    """The stop rules of a run in words: the strategy's own, the user's, and the number of iterations."""
    tests = "tests" if plan.task.suite else ""
    own = (tests, (strategy or STRATEGIES[plan.strategy]).until, f"({plan.until})" if plan.until else "")
    return " | ".join(rule for rule in (*own, f"iterations:{plan.iterations}") if rule)


async def _driven(context: RunContext, world: World, strategy: Strategy) -> Stop:
    try:
        stop = await strategy.drive(context, world.prompts)
    except ExhaustedError as exhausted:
        return exhausted.stop
    if stop.reason is StopReason.TESTS_PASS:
        with suppress(ExhaustedError, RefinerError):  # the answer stands without this
            await _doubted(context)
    return stop


async def _doubted(context: RunContext) -> None:
    """Say so where the tests pass on a program that does nothing."""
    selected, suite = select(context.state), context.plan.task.suite
    if selected is None or suite is None or not suite.files or suite.language != "python":
        return
    empty = emptied(context.state.chain(selected.chain).steps[selected.index].candidate.text)
    if empty is not None and (await context.tried(empty, suite)).outcome is Outcome.PASSED:
        await context.note("the tests pass on an empty program too, so they say nothing: write some that fail on it")


async def _finished(journal: Journal, strategy: Strategy, stop: Stop) -> RunState:
    state = journal.state
    selected = select(state, strategy.voters)
    if (signal := signalled(stop)) is not None:
        finished = RunFinished("interrupted", signal, stop, state.resumptions)
    else:
        finished = RunFinished("done", _exit(state, selected), stop, state.resumptions)
    step = state.chain(selected.chain).steps[selected.index] if selected else None
    notes = [Note(shortfall(step.execution))] if step and step.execution and finished.exit == 3 else []
    if step and step.decision and step.candidate.problem not in (None, "unchanged"):
        notes.append(Note(f"about the answer: {step.decision.reason}"))
    await journal.record(*([selected] if selected else []), *notes, finished)
    return journal.state


def signalled(stop: Stop) -> int | None:
    """The exit code of a run that was interrupted; None for one that has come to its end."""
    return SIGNALS.get(stop.detail.partition(":")[0]) if stop.reason is StopReason.SIGNAL else None


def _exit(state: RunState, selected: Selected | None) -> int:
    if selected is None:
        return 4
    step, task = state.chain(selected.chain).steps[selected.index], state.plan.task if state.plan else None
    if task is None or (task.kind is not Kind.CODE and task.suite is None):
        return 0  # no verifier was set: a score of its own only compares its candidates
    if step.score is None:
        return 3 if task.suite or step.candidate.parsed is None else 0
    return 0 if step.score >= 1.0 else 3


async def _failed(journal: Journal, strategy: Strategy, error: RefinerError) -> None:
    state = journal.state
    selected = select(state, strategy.voters)
    stop = Stop(StopReason.ERROR, str(error))
    finished = RunFinished("failed", error.exit_code, stop, state.resumptions, error.kind)
    with anyio.CancelScope(shield=True):
        await journal.record(*([selected] if selected else []), finished)
