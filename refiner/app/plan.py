"""From an input and the settings to a plan."""

import re
from typing import TypeVar

from refiner.config.settings import Settings
from refiner.domain.code import Suite
from refiner.domain.errors import UsageError
from refiner.domain.run import Limits, Models, Plan
from refiner.domain.task import Kind, Task
from refiner.domain.tuning import Tuning
from refiner.policies import language
from refiner.policies.budget import limits
from refiner.policies.policy import Policy
from refiner.policies.presets import PRESETS
from refiner.sandbox.suites import recognise
from refiner.strategies import STRATEGIES, automatic
from refiner.verify.detect import detect, options

N = TypeVar("N", int, float)

LONGEST = 2_000_000
"""Characters: no model's context holds a longer input."""


def task_of(text: str, answer_type: str = "auto", program: str | None = None, suite: Suite | None = None) -> Task:
    """The task that a text sets; a program to mend or tests make it a code task.

    Raises UsageError for an empty or an over-long text, for an answer type that tests do not fit, and for tests whose
    text shows that they cannot tell one program from another.
    """
    if not text.strip():
        raise UsageError("the input is empty: give a question, a file, or - and a pipe")
    if len(text) > LONGEST:
        raise UsageError(f"the input has {len(text):,} characters; no model reads more than {LONGEST:,}: shorten it")
    if suite is not None and answer_type not in ("auto", "code"):
        raise UsageError(f"tests are for code, not for an answer of type {answer_type}: leave one of them out")
    if suite is not None and suite.files and suite.command is None:
        recognise(suite)
    if answer_type == "code" or program is not None or suite is not None:
        return Task(text.strip("\n"), Kind.CODE, program=program, suite=suite)
    if answer_type == "auto":
        kind, found = detect(text)
        return Task(text.strip("\n"), kind, found)
    kind = Kind(answer_type)
    return Task(text.strip("\n"), kind, options(text) if kind is Kind.CHOICE else ())


def plan_of(task: Task, settings: Settings, model: str, tuning: Tuning | None = None) -> Plan:
    """What a run of the task will do under the settings; `model` is what `settings.model` resolves to.

    tuning: the task is a prompt, and these are its examples; whoever criticises it also rewrites it.

    Raises UsageError for a strategy or a stop rule that does not exist.
    """
    name = automatic(task.kind) if settings.strategy == "auto" else settings.strategy
    if tuning:
        name = "tune"
    elif name == "tune":
        raise UsageError('a prompt is tuned by "refiner tune PROMPT_FILE --data DATASET"')
    if name not in STRATEGIES:
        known = ", ".join(name for name in ("auto", *STRATEGIES) if name != "tune")
        raise UsageError(f'there is no strategy "{name}" in this version: choose one of {known}')
    if name == "repair" and task.kind is not Kind.CODE:
        raise UsageError('the strategy "repair" is for code: give --tests, or --answer-type code')
    strategy = STRATEGIES[name]
    presets = {**PRESETS, **settings.policies}
    rules = [
        settings.until,
        settings.policy,
        None if settings.patience is None else f"patience:{settings.patience}",
        None if settings.target is None else f"target:{settings.target}",
    ]
    until = " | ".join(f"({rule})" for rule in rules if rule)
    policy = language.parse(until, presets) if until else None
    own = limits(policy) if policy else Limits()
    iterations = _iterations(settings, policy, tuning.steps if tuning else strategy.iterations)
    usual = settings.vote.most if strategy.voters == "finals" else strategy.chains
    updater = settings.updater_model or (settings.critic_model if tuning else None) or model
    if strategy.voters == "finals" and task.program is not None and not iterations:
        raise UsageError(f'the strategy "{name}" leaves a given program as it is: use repair, refine or textgrad')
    return Plan(
        task=task,
        strategy=name,
        models=Models(model, settings.critic_model or model, updater, settings.base_url),
        limits=Limits(
            calls=_least(settings.max_calls, own.calls),
            tokens=_least(settings.max_tokens, own.tokens),
            cost_usd=_least(settings.max_cost, own.cost_usd),
            seconds=_least(settings.max_time, own.seconds),
        ),
        chains=1 if tuning else settings.chains or usual,
        iterations=iterations,
        until=str(policy) if policy else "",
        max_output_tokens=settings.max_output_tokens,
        temperature=settings.temperature,
        reasoning_effort=settings.reasoning_effort,
        seed=settings.seed,
        concurrency=settings.concurrency,
        adaptive=settings.vote.adaptive,
        least=settings.vote.least,
        scrutiny=settings.code.scrutiny,
        edit_above=settings.code.edit_above,
        tuning=tuning,
    )


def _iterations(settings: Settings, policy: Policy | None, own: int) -> int:
    """The flag's number, else the largest that the user's own rule speaks of, else the strategy's."""
    if settings.max_iterations is not None:
        return settings.max_iterations
    return max((int(number) for number in re.findall(r"\biterations:(\d+)", str(policy))), default=own)


def _least(one: N | None, other: N | None) -> N | None:
    bounds = [bound for bound in (one, other) if bound is not None]
    return min(bounds, default=None)
