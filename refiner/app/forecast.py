"""What a plan will cost before anything is spent: its least, expected and most."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from math import ceil

from refiner.domain.calls import Message, Provider, Request, Usage
from refiner.domain.errors import ContextLengthError
from refiner.domain.run import Limits, Models, Plan
from refiner.domain.task import Kind
from refiner.domain.tuning import Tuning
from refiner.prompts import Prompts
from refiner.providers.tokens import estimate
from refiner.strategies import STRATEGIES
from refiner.strategies.drive import rules
from refiner.strategies.untested import SUITES

REPLY = 350
"""Tokens of an expected reply; the replies of the models that were measured for the README are about this long."""

Providers = Mapping[str, Provider]
"""By the names of the models."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """Usage of a run at the least, as expected and at the most; the limits of the plan are counted in."""

    least: Usage
    expected: Usage
    most: Usage

    def to_json(self) -> dict[str, object]:
        return {name: asdict(getattr(self, name)) for name in ("least", "expected", "most")}


def forecast(plan: Plan, providers: Providers, prompts: Prompts) -> Forecast:
    """The usage that a plan leads to, at the prices of its models.

    least: the first stop rule fires as early as it can. most: every chain and iteration is used, every reply as long as
    allowed, none cached. Costs are None where a price is unknown.
    """
    if plan.tuning:
        return _tuned(plan, plan.tuning, providers, prompts)
    suite = plan.task.suite
    tests = sum(estimate(text) for _, text in suite.files) if suite else 0
    task = estimate(prompts["system"]) + estimate(plan.task.text) + estimate(plan.task.program or "") + tests
    instruction = max(estimate(prompts[name]) for name in ("critique", "update", "draft_text"))
    strategy = STRATEGIES[plan.strategy]
    voting = strategy.voters == "finals" and plan.adaptive
    least_chains = min(plan.chains, plan.least) if voting else plan.chains
    cheapest = least_chains * (1 + (1 if plan.iterations else 0))
    dearest = plan.chains * (1 + plan.iterations * strategy.calls) + strategy.beside
    if voting and not plan.iterations:
        dearest *= 2  # each answer that cannot be read is drawn once more
    if plan.task.kind is Kind.TEXT and plan.strategy in ("vote", "compare"):
        dearest += 2 * (plan.chains - 1)  # each text is held against the best so far, in both orders
    if plan.strategy == "fuse":  # the first update is the fusion, and one chain alone is refined
        cheapest, dearest = plan.chains + 2, plan.chains + 1 + max(0, plan.iterations - 1) * strategy.calls
    if plan.strategy == "repair":
        cheapest, dearest = _repairs(plan, strategy.beside)
    elif suite is not None and plan.task.program is not None:
        cheapest = 0  # it may pass as it is
    expected = (cheapest + dearest) // 2 if not voting else least_chains * (1 + plan.iterations * strategy.calls)

    def usage(calls: int, reply: int) -> Usage:
        # A prompt holds the task, a candidate, and on average one evaluation and one piece of feedback.
        later = max(0, calls - plan.chains) if plan.iterations else 0
        tokens = calls * (task + instruction) + later * 2 * reply
        used = Usage(calls, tokens, 0, calls * reply, estimated=True)
        return within(_priced(used, later / calls if calls else 0.0, plan.models, providers), plan.limits)

    return Forecast(usage(cheapest, REPLY // 2), usage(expected, REPLY), usage(dearest, plan.max_output_tokens))


def planned(plan: Plan, forecast: Forecast) -> dict[str, object]:
    """The object of `solve --dry-run --json`."""
    models = {"answer": plan.models.answer, "critic": plan.models.critic, "updater": plan.models.updater}
    return {
        "schema": "refiner.plan/1",
        "task": {"kind": str(plan.task.kind), "title": plan.task.title},
        "strategy": plan.strategy,
        "models": models,
        "chains": plan.chains,
        "iterations": plan.iterations,
        "until": rules(plan),
        "limits": asdict(plan.limits),
        **forecast.to_json(),
    }


def _tuned(plan: Plan, tuning: Tuning, providers: Providers, prompts: Prompts) -> Forecast:
    """All right at once at the least; every example wrong and every step validated at the most."""
    examples = (*tuning.train, *tuning.validation, *tuning.test)
    question = sum(estimate(example.question) for example in examples) // len(examples)
    asked = estimate(plan.task.text) + question
    told = estimate(prompts["system"]) + estimate(prompts["gradient"])
    before, learnt = len(tuning.test) + len(tuning.validation), tuning.epochs * len(tuning.train)

    def usage(share: float, reply: int) -> Usage:
        steps = round(share * plan.iterations)
        answers = before + learnt + steps * len(tuning.validation) + (len(tuning.test) if steps else 0)
        gradients = round(share * learnt)
        calls = answers + gradients + steps
        # A gradient's prompt holds a reply, an update's the replies and gradients of a batch.
        learning = gradients * (asked + told + reply) + steps * (told + tuning.batch * 2 * (asked + reply))
        used = Usage(calls, answers * asked + learning, 0, calls * reply, estimated=True)
        return within(_priced(used, (gradients + steps) / calls, plan.models, providers), plan.limits)

    likely = min(REPLY, plan.max_output_tokens)
    return Forecast(usage(0.0, likely // 2), usage(0.5, likely), usage(1.0, plan.max_output_tokens))


def _repairs(plan: Plan, beside: int) -> tuple[int, int]:
    """The fewest and the most calls of `repair`: a given program may pass as it is, else the first draft may."""
    program = plan.task.program
    # An edit, its repair, and the whole rewrite behind them.
    each = 3 if program is not None and program.count("\n") > plan.edit_above else 1
    if plan.task.suite is None:
        return plan.chains + SUITES, plan.chains * each + SUITES
    return 0 if program is not None else 1, plan.chains * (1 + plan.iterations) * each + beside


async def too_long(plan: Plan, provider: Provider, prompts: Prompts) -> None:
    """Raise ContextLengthError where the task alone fills the model's context, before anything is stored or spent.

    A program that has tests is left out, for it may pass them unread; so are tests, which are cut to fit.
    """
    context = (await provider.capabilities()).context_tokens
    program = plan.task.program if plan.task.program is not None and plan.task.suite is None else ""
    messages = (Message("system", (prompts["system"],)), Message("user", (plan.task.text, program)))
    count = await provider.count(Request(messages, 1))
    if context is not None and count.exact and count.tokens >= context:
        raise ContextLengthError(
            f"the input has {count.tokens:,} tokens and {provider.name} reads {context:,}: "
            "shorten it, or choose a model with a longer context",
            limit=context,
            length=count.tokens,
        )


def within(usage: Usage, limits: Limits) -> Usage:
    """As much of a usage as the tightest limit lets through."""
    bounds = ((limits.calls, usage.calls), (limits.tokens, usage.tokens), (limits.cost_usd, usage.cost_usd))
    share = min((most / used for most, used in bounds if most is not None and used), default=1.0)
    return usage if share >= 1 else _part(usage, share)


def _part(usage: Usage, share: float) -> Usage:
    read, written = (int(each * share) for each in (usage.input_tokens, usage.output_tokens))
    cost = None if usage.cost_usd is None else usage.cost_usd * share
    return replace(usage, calls=ceil(usage.calls * share), input_tokens=read, output_tokens=written, cost_usd=cost)


def _priced(usage: Usage, rest: float, models: Models, providers: Providers) -> Usage:
    """rest: the share of the usage that is not the answer model's; it has the price of the dearer of the other two."""
    costs = [providers[models.answer].price(_part(usage, 1 - rest))]
    if rest:
        others = [providers[name].price(_part(usage, rest)) for name in (models.critic, models.updater)]
        costs.append(None if None in others else max(cost for cost in others if cost is not None))
    known = [cost for cost in costs if cost is not None]
    return replace(usage, cost_usd=sum(known) if len(known) == len(costs) else None)
