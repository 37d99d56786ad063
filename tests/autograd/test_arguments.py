"""A bad argument of a public name is one line of ours, before anything is asked."""

# What the types forbid is what is tried.
# mypy: disable-error-code="arg-type, return-value, list-item, call-arg"

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

import refiner
from refiner import Ask, Check, CheckerLoss, Compiler, Constraint, Example, NumericLoss, TextLoss, Variable
from refiner.domain.errors import UsageError
from tests.engines import ScriptedEngine

pytestmark = pytest.mark.anyio
ENGINE: Any = ScriptedEngine()
TEXT = Variable("one", "text")
GOOD = {"engine": ENGINE, "metric": lambda _answer, _example: 1.0}


def descent(**options: Any) -> refiner.TextualGradientDescent:
    return refiner.TextualGradientDescent(**{"parameters": [TEXT], "engine": ENGINE, **options})


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: Compiler(**GOOD, batch=0), "batch is 0: give a whole number from 1 on"),
        (lambda: Compiler(**GOOD, demonstrations=-1), "demonstrations is -1: give a whole number from 0 on"),
        (lambda: Compiler(**GOOD, calls=0), "calls is 0"),
        (lambda: Compiler(**GOOD, until="iteration:2"), "iterations"),
        (lambda: Compiler(**GOOD, constraints="be brief"), "constraints is 'be brief': give a list of rules"),
        (lambda: Compiler(refiner.engine("openai:x"), GOOD["metric"]), "engine is of type .*: give an opened one"),
        (lambda: Compiler(ENGINE, 0.5), "metric is 0.5: give a function"),
        (lambda: Ask("openai:gpt-4o", "Sort it."), "engine is 'openai:gpt-4o': give an opened one"),
        (lambda: Ask(ENGINE, None), "value is None: give a text"),
        (lambda: Ask(ENGINE, "Sort it.", demonstrations=[("a", "b")]), "one of demonstrations is of type tuple"),
        (lambda: Example("2 + 2", 4), "answer is 4: give a text"),
        (lambda: descent(parameters=TEXT), "parameters is of type Variable: give a list of variables"),
        (lambda: descent(parameters=["x"]), "one of parameters is 'x'"),
        (lambda: descent(momentum=-1), "momentum is -1"),
        (lambda: descent(rate="half"), "rate is 'half': give a share"),
        (lambda: descent(examples="one"), "examples is 'one': give a list of texts"),
        (lambda: descent(validation=0.5), "validation is 0.5: give a function"),
        (lambda: Constraint("with a number", r"\d"), r"check is '\\\\d': give a function, or re.compile"),
        (lambda: TextLoss.by(ENGINE, None), "instruction is None: give a text"),
        (lambda: CheckerLoss("x"), "checker is 'x': give a function"),
        (lambda: CheckerLoss(str.islower)(TEXT), "what checker came to is True: give a function to a Check"),
        (lambda: CheckerLoss(lambda _: Check(True, 1.0, ""))("x"), "one of sources is 'x': give a list of variables"),
        (lambda: NumericLoss(lambda _: None, "goal")(TEXT), "what measure came to is None: give a function to a num"),
        (lambda: NumericLoss(lambda _: float("nan"), "goal")(TEXT), "what measure came to is nan"),
        (lambda: refiner.total(TEXT), "losses is of type Variable"),
        (lambda: refiner.ModelCall(ENGINE, "You are brief."), "one of system is 'You are brief.'"),
        (lambda: refiner.Function("x", "counts"), "function is 'x'"),
        (lambda: refiner.concatenate("a", "b"), "one of sources is 'a'"),
        (lambda: Variable(None, "text"), "value is None: give a text"),
    ],
)
def test_it_is_said_where_it_is_made(made: Callable[[], object], said: str) -> None:
    with pytest.raises(UsageError, match=said) as raised:
        made()
    assert "\n" not in str(raised.value) or "iteration:2" in str(raised.value)  # a caret marks the place in a policy


async def plain(_: object) -> str:
    return "x"


@pytest.mark.parametrize(
    ("awaited", "said"),
    [
        (lambda: refiner.batch([1], plain), "branch is of type list: give a function"),
        (lambda: refiner.batch(plain, 5), "items is 5: give a list"),
        (lambda: refiner.batch(str, [1]), "what branch came to is '1': give an async function"),
        (lambda: refiner.backward("x", ENGINE), "one of loss is 'x'"),
        (lambda: refiner.backward(TEXT, ENGINE, "mean"), 'reduction is \'mean\': give "concatenate" or "summary"'),
        (lambda: refiner.descend(descent(), TEXT), "loss is of type Variable: give a function"),
        (lambda: refiner.descend(descent(), lambda _: TEXT), "what loss came to is of type Variable: give an async"),
        (lambda: refiner.descend(descent(), plain), "one of what loss came to is 'x'"),
        (lambda: refiner.descend(descent(validation=partial(plain, 0)), plain), "what validation came to is 'x'"),
        (lambda: TextLoss.by(ENGINE, "Good?")("x"), "one of fields is 'x'"),
        (lambda: TextLoss.by(ENGINE, "Good?").fields({}), "fields is of type dict: give a variable or more"),
        (lambda: refiner.drive(None, "x"), "descent is None: give a function"),
        (lambda: Compiler(**GOOD).compile(ENGINE, []), "module is of type ScriptedEngine: give a Module"),
        (lambda: Compiler(**GOOD).compile(Ask(ENGINE, "x"), ["a", "b"]), "one of train is 'a': give a list of exam"),
    ],
)
async def test_or_where_it_is_used(awaited: Callable[[], Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        await awaited()
    assert not ENGINE.prompts


@pytest.mark.parametrize("found", [None, Check(True, None, "")])
async def test_a_metric_without_a_number_is_told_once_it_has_answered(found: Any) -> None:
    module, examples = Ask(ScriptedEngine(), "Sort it."), [Example("a", "b"), Example("c", "d")]
    with pytest.raises(UsageError, match=re.escape("what metric came to is None: give a function to a number")):
        await Compiler(module.engine, lambda _answer, _example: found).compile(module, examples)
