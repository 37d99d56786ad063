"""A DSPy program refined at test time: it drafts, refiner criticises and rewrites, the reward is the gate."""

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from time import monotonic
from typing import Any

import anyio
from pydantic_core import to_jsonable_python

from refiner.app.plan import plan_of
from refiner.app.world import opened
from refiner.autograd.losses import TextLoss, flawless
from refiner.autograd.optimizer import TextualGradientDescent
from refiner.autograd.prompt import Section
from refiner.autograd.variable import Variable
from refiner.config.sources import Loaded, load
from refiner.domain.calls import Finish, Message, Reply, Request, Role, Usage
from refiner.domain.errors import RefinerError, UsageError
from refiner.domain.events import CallFinished, CallStarted, Evaluation, RunFinished, RunResumed
from refiner.domain.result import Result, result_of
from refiner.domain.run import Plan, Stop, StopReason, Verdict
from refiner.domain.state import fold
from refiner.domain.task import Kind, Task
from refiner.policies import Iterations, Policy, Target
from refiner.policies.language import parse
from refiner.prompts import Prompts
from refiner.providers.connect import resolve
from refiner.providers.prices import price
from refiner.run.context import RunContext, digest
from refiner.run.engines import StepEngine
from refiner.run.journal import Journal, Listener
from refiner.run.ledger import ExhaustedError
from refiner.run.steering import Steering, steered
from refiner.strategies.descent import descend
from refiner.strategies.drive import World, connect_all, create, signalled
from refiner.strategies.selection import select
from refiner.strategies.verbs import EXPLORING

try:
    import dspy
    from dspy.adapters.utils import parse_value
except ImportError as error:
    raise ImportError("refiner.integrations.dspy needs DSPy: pip install 'refiner[dspy]'") from error

Reward = Callable[[dict[str, Any], dspy.Prediction], float]
"""How good a prediction for these inputs is, the more the better, as `dspy.Refine` and `dspy.BestOfN` take it."""

DRAFT = "0/0/answer/draft"


class Refined(dspy.Module):  # type: ignore[misc]
    """A DSPy program, one output of which is refined until its reward reaches the threshold.

    field: the output, its last one unless it is named. settings: those of refiner.toml by name, as `refiner.solve`
    takes them: model criticises and rewrites, max_iterations, max_calls, max_cost and the like bound the run, whose
    figures the program's own calls are part of. The program's LM is its own.
    """

    def __init__(
        self, module: Any, reward_fn: Reward, threshold: float = 1.0, field: str | None = None, **settings: Any
    ) -> None:
        super().__init__()
        self.module = module
        self.reward_fn = reward_fn
        self.threshold = threshold
        self.field = field
        self.settings = settings

    def forward(self, **inputs: Any) -> dspy.Prediction:
        """For programs without an event loop; others await `acall`."""
        return anyio.run(partial(self.aforward, **inputs))

    async def aforward(self, **inputs: Any) -> dspy.Prediction:
        prediction, _ = await self.refine(inputs)
        return prediction

    async def refine(
        self, inputs: Mapping[str, Any], *, run: str | None = None, listener: Listener | None = None
    ) -> tuple[dspy.Prediction, Result]:
        """The best prediction by its reward, and the run that it came from.

        run: the id of an interrupted one, which goes on where it stopped, by the same inputs: nothing that it paid for
        is bought again. Raises RefinerError as `refiner.solve` does, and whatever the program and the reward raise.
        """
        loaded = load(keywords=self.settings)
        async with opened(loaded.settings, loaded.paths) as world:
            plan = self._plan(loaded, inputs)
            run = await (create(world, plan) if run is None else _claimed(world, run, plan))
            journal = await Journal.open(world.store, run, listener)
            if journal.state.status != "running" or journal.state.usage.calls:
                await journal.record(RunResumed(journal.state.resumptions + 1))
                await journal.book_interrupted()
            try:
                async with steered(world.store, run) as steering:
                    prediction = await self._refined(world, journal, dict(inputs), steering)
            except Exception as error:
                kind, code = ("internal", 1) if not isinstance(error, RefinerError) else (error.kind, error.exit_code)
                stop = Stop(StopReason.ERROR, str(error))
                await journal.record(RunFinished("failed", code, stop, journal.state.resumptions, kind))
                raise
            return prediction, result_of(run, journal.state)

    def _plan(self, loaded: Loaded, inputs: Mapping[str, Any]) -> Plan:
        shown = "\n".join(f"{name}: {value}" for name, value in inputs.items())
        told = [predictor.signature.instructions for _, predictor in self.module.named_predictors()]
        task = Task("\n\n".join((shown, *told)), Kind.TEXT)
        return replace(plan_of(task, loaded.settings, resolve(loaded.settings, loaded.paths)), strategy="dspy")

    async def _refined(
        self, world: World, journal: Journal, inputs: dict[str, Any], steering: Steering
    ) -> dspy.Prediction:
        plan = journal.state.plan
        assert plan is not None  # noqa: S101
        draft = await self._draft(journal, inputs, plan)
        lines = await connect_all(world, plan)
        rule = Target(self.threshold) | Iterations(plan.iterations)
        policy = rule | parse(plan.until, world.presets) if plan.until else rule
        context = RunContext(journal, lines, policy, purse=world.purse)
        steering.started(context)
        field = self.field or [*draft.keys()][-1]
        if field not in draft:
            raise UsageError(f"the program's prediction has no {field}: it has {', '.join(draft.keys())}")
        kind = self._kind(field)
        answer = Variable(_text(draft[field]), field.replace("_", " "))

        def prediction() -> dspy.Prediction:
            changed = answer.value != _text(draft[field])
            return dspy.Prediction(**{**draft, field: parse_value(answer.value, kind)}) if changed else draft

        async def rewarded() -> float:
            return float(await anyio.to_thread.run_sync(self.reward_fn, inputs, prediction()))

        optimizer = TextualGradientDescent(
            [answer],
            StepEngine(context, 0, 0),
            readable=partial(_parses, kind=kind),
            form=f"the complete {answer.role} alone",
            validation=rewarded,
            prompts=world.prompts,
        )
        beside = [f"{name}: {value}" for name, value in draft.items() if name != field]
        task = Section("task", "\n\n".join((plan.task.text, *beside)))
        stop = await self._descended(optimizer, context, policy, task, world.prompts)
        await self._finish(journal, optimizer.validated, stop)
        return prediction()

    async def _draft(self, journal: Journal, inputs: dict[str, Any], plan: Plan) -> dspy.Prediction:
        """The program's own prediction, a call of the run: recorded, it is never asked for again."""
        if (known := journal.reply(DRAFT)) is not None:
            told = json.loads(known.text)
            return dspy.Prediction(**{name: _value(one, self._kind(name)) for name, one in told.items()})
        began = monotonic()
        with dspy.track_usage() as tracker:
            if hasattr(self.module, "aforward"):
                made = await self.module.acall(**inputs)
            else:
                made = await anyio.to_thread.run_sync(partial(self.module, **inputs))
        used = _usage(tracker.usage_data)
        text = json.dumps(to_jsonable_python(made.toDict(), fallback=str), ensure_ascii=False)
        request = Request((Message("user", (plan.task.text,)),), max(1, used.output_tokens))
        models = ", ".join(tracker.usage_data) or "dspy"
        attempt = journal.next_attempt(DRAFT)
        reply = Reply(text, used, Finish.STOP, monotonic() - began)
        await journal.record(
            CallStarted(
                *(DRAFT, attempt, Role.ANSWER, models, digest(request)),
                *(request.messages, request.max_output_tokens, used),
            ),
            CallFinished(DRAFT, attempt, reply),
        )
        return made

    async def _descended(
        self, optimizer: TextualGradientDescent, context: RunContext, policy: Policy, task: Section, prompts: Prompts
    ) -> Stop:
        (answer,) = optimizer.parameters
        seen: list[str] = []

        async def loss(iteration: int) -> Variable:
            score = optimizer.validated or 0.0
            if score >= self.threshold:
                return flawless("the reward is reached", score)
            # The same prompt again would bring the same reply: after a rejected update, look from another side.
            temperature = EXPLORING if seen[-1:] == [answer.value] else 0.0
            seen.append(answer.value)
            optimizer.engine = engine = StepEngine(context, 0, iteration, temperature)
            reward = Section("reward", f"{score:g}, and {self.threshold:g} is wanted.\n{_source(self.reward_fn)}")
            critique = TextLoss(engine, prompts["critique_gradient"], (task, reward), direct=True, prompts=prompts)
            return await critique(answer)

        try:
            return (await descend(optimizer, loss, until=policy, record=context.record)).stop
        except ExhaustedError as exhausted:
            return exhausted.stop

    async def _finish(self, journal: Journal, score: float | None, stop: Stop) -> None:
        chain = journal.state.chain(0)
        if chain.current and chain.current.score is None and score is not None:
            reached = score >= self.threshold
            verdict = Verdict.CORRECT if reached else Verdict.FLAWED
            index = chain.current.candidate.index
            await journal.record(Evaluation(0, index, verdict, f"reward: {score:g}", score, iteration=chain.iterations))
            stop = Stop(StopReason.TARGET, f"a reward of {score:g} reaches {self.threshold:g}") if reached else stop
        selected = select(journal.state, "nobody")
        code, number = 0 if score is not None and score >= self.threshold else 3, journal.state.resumptions
        signal = signalled(stop)
        finished = RunFinished("interrupted" if signal else "done", signal or code, stop, number)
        await journal.record(*([selected] if selected else []), finished)

    def _kind(self, field: str) -> Any:
        """The type of an output, as the program's signatures have it."""
        signatures = [predictor.signature for _, predictor in self.module.named_predictors()]
        found = (signature.output_fields.get(field) for signature in reversed(signatures))
        return next((one.annotation for one in found if one is not None), str)


async def _claimed(world: World, run: str, plan: Plan) -> str:
    """A stored run of this very program and these inputs, that nobody else drives."""
    run = await world.store.find(run)
    stored = fold(await world.store.events(run)).plan
    if stored is None or (stored.strategy, stored.task) != (plan.strategy, plan.task):
        raise UsageError(f"run {run} is not of this program and these inputs: it cannot go on with them")
    await world.store.claim(run)
    return run


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(to_jsonable_python(value, fallback=str), ensure_ascii=False)


def _value(value: Any, kind: Any) -> Any:
    return value if kind is str else parse_value(value, kind)


def _parses(text: str, *, kind: Any) -> bool:
    try:
        parse_value(text, kind)
    except Exception:  # noqa: BLE001 - DSPy's parser raises what it meets
        return False
    return bool(text)


def _usage(entries: Mapping[str, list[dict[str, Any]]]) -> Usage:
    total = Usage()
    for model, calls in entries.items():
        provider, _, name = model.partition("/")
        for call in calls:
            cached = (call.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
            used = Usage(1, call.get("prompt_tokens") or 0, cached, call.get("completion_tokens") or 0)
            total += replace(used, cost_usd=price(provider, name, used))
    return total


def _source(reward: Reward) -> str:
    try:
        return inspect.getsource(reward)
    except (OSError, TypeError):
        return inspect.getdoc(reward) or ""
