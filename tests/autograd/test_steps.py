"""Steps under rules: constraints that are checked, a bound of change, validation with revert, and descents."""

import re

import pytest

import refiner
from refiner.autograd.constraints import Constraint, changed
from refiner.autograd.optimizer import TextualGradientDescent
from refiner.autograd.variable import Feedback, Variable
from refiner.domain.calls import Role
from refiner.domain.errors import UsageError
from refiner.domain.events import Event
from refiner.domain.run import StopReason
from refiner.policies import Calls, Target
from refiner.strategies.descent import Loss
from tests.engines import ScriptedEngine

pytestmark = pytest.mark.anyio


def heard(value: str, role: str = "answer") -> Variable:
    variable = Variable(value, role)
    variable.add_gradient(Feedback("say more"), (0, 0, 0))
    return variable


def replying(*replies: str) -> ScriptedEngine:
    left = iter(replies)
    return ScriptedEngine(lambda _text, _role: f"<improved>{next(left)}</improved>")


SHORT = Constraint("at most three words", lambda text: len(text.split()) <= 3 or f"it has {len(text.split())}")
DIGIT = Constraint("it has a digit", re.compile(r"\d"))


async def test_a_violation_is_repaired_once() -> None:
    engine = replying("far too many words 1", "two 2")
    variable = heard("one 1")
    (update,) = await TextualGradientDescent([variable], engine, constraints=["be kind", SHORT, DIGIT]).step()
    assert (variable.value, update.problem, update.usage.calls) == ("two 2", None, 2)
    (asked,) = engine.asked(Role.REPAIR)
    assert 'it breaks the rule "at most three words" (it has 5)' in asked
    assert "be kind" in asked


@pytest.mark.parametrize(
    ("constraint", "reason"),
    [
        (SHORT, 'it breaks the rule "at most three words" (it has 5)'),
        (DIGIT, 'it breaks the rule "it has a digit"'),
        (Constraint("it parses", lambda text: bool(int(text))), "ValueError: invalid literal"),
    ],
)
async def test_what_still_violates_is_rejected_with_the_reason(constraint: Constraint, reason: str) -> None:
    variable = heard("1")
    engine = replying("four words of text", "five words of text still")
    (update,) = await TextualGradientDescent([variable], engine, constraints=[constraint]).step()
    assert (variable.value, update.problem) == ("1", "constraint")
    assert reason in update.reason


@pytest.mark.parametrize(("obeys", "problem"), [(1, None), (0, "constraint")])
async def test_a_check_may_return_whatever_is_true_or_false(obeys: int, problem: str | None) -> None:
    rule = Constraint("it is valid", lambda _text: obeys)  # type: ignore[arg-type, return-value]  # as NumPy's bool is
    (update,) = await TextualGradientDescent([heard("1")], replying("2", "3"), constraints=[rule]).step()
    assert update.problem == problem


async def test_a_parameter_that_is_given_twice_is_asked_for_once() -> None:
    variable, engine = heard("1"), replying("2", "3")
    assert len(await TextualGradientDescent([variable, variable], engine).step()) == 1
    assert variable.value == "2"


async def test_what_cannot_be_meant_is_refused() -> None:
    with pytest.raises(UsageError, match="rate is 20: give a share"):
        TextualGradientDescent([heard("1")], replying(), rate=20)

    async def slow(text: str) -> str:
        return text

    with pytest.raises(UsageError, match=r'"looks it up" is async: await its run'):
        refiner.Function(slow, "looks it up")(heard("1"))


async def test_a_step_changes_no_more_than_its_rate() -> None:
    old = "the quick brown fox jumps over the lazy dog"
    variable = heard(old)
    engine = replying("something else altogether", old.replace("lazy", "sleepy"))
    optimizer = TextualGradientDescent([variable], engine, rate=0.2)
    (update,) = await optimizer.step()
    assert "at most 20%" in engine.asked(Role.UPDATER)[0]
    assert "it changes" in engine.asked(Role.REPAIR)[0]
    assert update.problem is None
    assert 0 < changed(old, variable.value) <= 0.2
    engine.answering = lambda _text, _role: "none of that"
    (update,) = await optimizer.step()
    assert (update.problem, variable.value) == ("too much", old.replace("lazy", "sleepy"))


@pytest.mark.parametrize(("maximise", "scores", "kept"), [(True, [0.5, 0.4, 0.6], 2), (False, [0.5, 0.6, 0.5], 2)])
async def test_all_parameters_go_back_together_when_validation_falls(
    maximise: bool, scores: list[float], kept: int
) -> None:
    left, seen = iter(scores), list[tuple[str, str]]()

    async def validation() -> float:
        seen.append((one.value, two.value))
        return next(left)

    one, two = heard("a", "one"), heard("b", "two")
    engine = replying("a1", "b1", "a2", "b2")
    optimizer = TextualGradientDescent([one, two], engine, validation=validation, maximise=maximise)
    worse = await optimizer.step()
    assert [(update.problem, update.reason) for update in worse] == [
        ("worse", f"validation went from 0.5 to {scores[1]}")
    ] * 2
    assert (one.value, two.value) == ("a", "b")
    await optimizer.step()
    assert seen == [("a", "b"), ("a1", "b1"), ("a2", "b2")]
    assert (one.value, two.value) == seen[kept]
    assert optimizer.validated == scores[kept]


async def test_a_validation_that_fails_leaves_the_old_values() -> None:
    scores = iter([0.5])

    async def validation() -> float:
        try:
            return next(scores)
        except StopIteration:
            raise LookupError("no data") from None

    variable = heard("old")
    with pytest.raises(LookupError):
        await TextualGradientDescent([variable], replying("new"), validation=validation).step()
    assert variable.value == "old"


def lengthening(engine: ScriptedEngine, variable: Variable) -> Loss:
    async def loss(_iteration: int) -> Variable:
        text = await refiner.TextLoss.by(engine, "is it long?")(variable)
        return refiner.total([text, refiner.NumericLoss(len, "length")(variable)])

    return loss


async def test_a_descent_stops_by_a_policy_and_says_why() -> None:
    variable, events = Variable("x", "answer"), list[Event]()
    engine = ScriptedEngine(lambda _t, role: f"{variable.value}x" if role is Role.UPDATER else "longer")

    async def record(event: Event) -> None:
        events.append(event)

    optimizer = TextualGradientDescent([variable], engine)
    found = await refiner.descend(optimizer, lengthening(engine, variable), until="iterations:2", record=record)
    assert (variable.value, found.stop.reason, len(found.updates)) == ("xxx", StopReason.ITERATIONS, 2)
    assert [step.score for step in found.state.chain(0).steps] == [1.0, 2.0, None]
    assert found.state.usage.calls == engine.usage.calls == 6
    assert len({event.place for event in events}) == len(events)
    assert len({(role, place) for role, place, _ in engine.prompts}) == 6
    again = await refiner.descend(optimizer, lengthening(engine, variable), until=Target(5.0) | Calls(99))
    assert (variable.value, again.stop.reason) == ("xxxxx", StopReason.TARGET)
    assert again.state.usage.calls == 7  # two whole iterations, and the loss that reached it
    with pytest.raises(UsageError, match="there is no rule"):
        await refiner.descend(optimizer, lengthening(engine, variable), until="soon")


async def test_a_descent_loses_patience_with_steps_that_are_taken_back() -> None:
    variable = Variable("x", "answer")
    engine = ScriptedEngine(lambda text, role: f"v{len(text)}" if role is Role.UPDATER else "Verdict: flawed")

    async def validation() -> float:
        return 1.0 if variable.value == "x" else 0.0

    optimizer = TextualGradientDescent([variable], engine, validation=validation)
    found = await refiner.descend(optimizer, lengthening(engine, variable), until="patience:2 | iterations:9")
    assert (found.stop.reason, len(found.updates), variable.value) == (StopReason.PATIENCE, 2, "x")
    decisions = [step.decision for step in found.state.chain(0).steps[1:]]
    assert [d and (d.accepted, d.reason) for d in decisions] == [(False, "validation went from 1 to 0")] * 2


async def test_a_descent_ends_when_no_loss_finds_anything() -> None:
    variable = Variable("x", "answer")
    engine = ScriptedEngine(lambda _text, _role: "Verdict: correct, change nothing")

    async def loss(_iteration: int) -> Variable:
        return refiner.total([await refiner.TextLoss.by(engine, q)(variable) for q in ("short?", "true?")])

    found = await refiner.descend(TextualGradientDescent([variable], engine), loss, until="clean | iterations:5")
    assert (found.stop.reason, found.updates, variable.value) == (StopReason.CONVERGED, (), "x")
