"""Textual gradient descent: what reaches the prompt, and what a reply may do to a variable."""

import re

import pytest

from refiner.autograd.backward import backward
from refiner.autograd.losses import Check, CheckerLoss, TextLoss, verdict
from refiner.autograd.operations import ModelCall, total
from refiner.autograd.optimizer import TextualGradientDescent, Update
from refiner.autograd.variable import Feedback, Variable
from refiner.domain.calls import Finish, Role
from refiner.domain.errors import ContextLengthError
from refiner.domain.run import Verdict
from tests.engines import ScriptedEngine

pytestmark = pytest.mark.anyio


def heard(value: str, *feedback: str) -> Variable:
    variable = Variable(value, "answer")
    for number, text in enumerate(feedback):
        variable.add_gradient(Feedback(text), (0, number, 0))
    return variable


async def updated(reply: str, value: str = "old", finish: Finish = Finish.STOP) -> Update:
    engine = ScriptedEngine(lambda _text, _role: reply, finish=finish)
    (update,) = await TextualGradientDescent([heard(value, "say more")], engine).step()
    return update


@pytest.mark.parametrize(
    ("reply", "new"),
    [
        ("<improved>new</improved>", "new"),
        ("I write <improved>draft</improved>, or <improved>\nnew\n</improved> done", "new"),
        ("<improved>new and never closed", "new and never closed"),
        ("plain new text", "plain new text"),
        ("</improved> stray", "stray"),
    ],
)
async def test_replies_are_read_tolerantly(reply: str, new: str) -> None:
    update = await updated(reply)
    assert (update.new, update.problem, update.variable.value) == (new, None, new)


async def test_a_rewrite_is_whole_though_what_stands_after_it_was_cut_off() -> None:
    update = await updated("<improved>new</improved>\n\nCase 1 of", finish=Finish.LENGTH)
    assert (update.new, update.problem) == ("new", None)


@pytest.mark.parametrize(
    ("reply", "finish", "problem"),
    [
        ("", Finish.STOP, "empty"),
        ("<improved>  </improved>", Finish.STOP, "empty"),
        ("<improved>half of i", Finish.LENGTH, "truncated"),
        ("<improved>old</improved> and all tha", Finish.LENGTH, "unchanged"),
        ("<improved>old</improved>", Finish.STOP, "unchanged"),
        (
            "Write the complete new version between <improved> and </improved>, in the same form as the old one",
            Finish.STOP,
            "echoed",
        ),
    ],
)
async def test_a_reply_that_is_none_leaves_the_old_value(reply: str, finish: Finish, problem: str) -> None:
    update = await updated(reply, finish=finish)
    assert update.problem == problem
    assert update.variable.value == "old"


async def test_an_unreadable_rewrite_gets_one_repair_call() -> None:
    engine = ScriptedEngine(lambda _text, role: "Answer: 42" if role is Role.REPAIR else "<improved>hm</improved>")
    variable = heard("Answer: 41", "check the product")
    optimizer = TextualGradientDescent([variable], engine, readable=lambda text: "Answer:" in text, form="Answer: X")
    await optimizer.step()
    assert variable.value == "Answer: 42"
    assert "Answer: X" in engine.asked(Role.REPAIR)[0]
    engine.answering = lambda _text, _role: "hm"
    (update,) = await optimizer.step()
    assert (update.problem, variable.value) == ("unreadable", "Answer: 42")
    assert len(engine.asked(Role.REPAIR)) == 2


async def test_constraints_examples_momentum_and_memory_reach_the_prompt() -> None:
    engine = ScriptedEngine()
    variable = heard("value one", "feedback one")
    optimizer = TextualGradientDescent(
        [variable], engine, constraints=["at most nine words"], examples=["like this"], momentum=1, memory=1
    )
    await optimizer.step()
    first = engine.asked(Role.UPDATER)[0]
    assert "at most nine words" in first
    assert "like this" in first
    assert "feedback one" in first
    optimizer.zero_grad()
    variable.add_gradient(Feedback("feedback two"), (0, 0, 0))
    await optimizer.step()
    second = engine.asked(Role.UPDATER)[1]
    assert "<earlier_values>\nvalue one" in second
    assert "<earlier_feedback>\nfeedback one" in second
    plain = TextualGradientDescent([variable], engine)
    assert not any(word in plain.prompt(variable).instruction for word in ("earlier", "nine"))


async def test_each_gradient_is_shown_once_and_in_order() -> None:
    optimizer = TextualGradientDescent([heard("v", "bbb", "aaa", "bbb")], ScriptedEngine())
    text = optimizer.prompt(optimizer.parameters[0]).messages[-1].text
    assert text.count("bbb") == text.count("aaa") == 1
    assert text.index("bbb") < text.index("aaa")


@pytest.mark.parametrize("said", ["count to {}", "count one by one"])
async def test_each_case_of_a_batch_is_shown_whole_with_its_feedback(said: str) -> None:
    def model(text: str, role: Role) -> str:
        return said.format(text[text.index(" apples") - 1]) if role is Role.GRADIENT else "Answer: 0"

    engine, system = ScriptedEngine(model), Variable("You count.", "system prompt")
    asked = [Variable(f"{number} apples?", "question", requires_grad=False) for number in range(3)]
    replies = [await ModelCall(engine, system)(question) for question in asked]
    losses = [CheckerLoss(lambda _: Check(False, 0.0, "wrong"))(reply)[0] for reply in replies]
    await backward(total(losses), engine)
    prompt = TextualGradientDescent([system], engine).prompt(system)
    text = prompt.messages[-1].text
    head, *cases = re.split(r"Case \d of 3:\n\n", text)
    assert (head, prompt.shared) == ("<system_prompt>\nYou count.\n</system_prompt>\n\n", 1)
    shown = [re.findall(r"<(?:input|response|feedback)>\n(.*?)\n<", case) for case in cases]
    # The walk begins at the end of the graph.
    assert shown == [[f"{number} apples?", "Answer: 0", said.format(number)] for number in (2, 1, 0)]


async def test_a_variable_without_gradients_is_left_alone() -> None:
    engine = ScriptedEngine()
    assert await TextualGradientDescent([Variable("v", "answer")], engine).step() == []
    assert engine.prompts == []


async def test_what_does_not_fit_is_cut_and_marked_and_the_variable_never() -> None:
    engine = ScriptedEngine(room=400)
    value = "kept " * 100
    variable = heard(value.strip(), "feedback " * 2000)
    await TextualGradientDescent([variable], engine).step()
    prompt = engine.asked(Role.UPDATER)[0]
    assert value.strip() in prompt
    assert "characters cut to fit" in prompt
    assert len(prompt.split()) <= 400
    assert any("feedback was cut" in note for note in engine.notes)
    with pytest.raises(ContextLengthError, match="shorten the input"):
        await TextualGradientDescent([heard("word " * 500, "more")], engine).step()


async def test_two_graphs_with_two_engines_live_side_by_side() -> None:
    one, two = ScriptedEngine(lambda _t, _r: "ONE"), ScriptedEngine(lambda _t, _r: "TWO")
    for engine, said in ((one, "ONE"), (two, "TWO")):
        variable = Variable("x", "answer")
        await backward(await TextLoss.by(engine, "good?")(variable), engine)
        assert [feedback.text for feedback in variable.gradients] == [said]
        assert len(engine.prompts) == 2


@pytest.mark.parametrize(
    ("critique", "expected"),
    [
        ("fine.\nVerdict: correct, change nothing", Verdict.CORRECT),
        ("**Verdict:** Correct", Verdict.CORRECT),
        ("Verdict: correct at first sight\nVerdict: flawed", Verdict.FLAWED),
        ("Verdict: incorrect", Verdict.FLAWED),
        ("I would not say more. It is correct, change nothing", Verdict.CORRECT),
        ("Verdict: Not correct, change nothing?", Verdict.FLAWED),
        ("It isn't quite correct, change nothing but the sum", Verdict.FLAWED),
        ("the third step is wrong", Verdict.FLAWED),
        ("", Verdict.UNREADABLE),
    ],
)
def test_a_critique_comes_to_a_verdict(critique: str, expected: Verdict) -> None:
    assert verdict(critique) is expected


@pytest.mark.parametrize(
    ("reply", "new"),
    [
        ("Here is the new version:\n\n```python\nx = 1\n```", "x = 1"),
        ("<improved>\n```\nx = 1\n```\n</improved>", "x = 1"),
        ("<improved>Run:\n```\nls\n```</improved>", "Run:\n```\nls\n```"),
        ("Run this:\n```\nls\n```\nor\n```\nid\n```", "Run this:\n```\nls\n```\nor\n```\nid\n```"),
    ],
)
async def test_a_fence_around_the_whole_rewrite_is_opened(reply: str, new: str) -> None:
    assert (await updated(reply)).new == new
    fenced = "```\nx = 0\n```"
    assert (await updated("```\nx = 1\n```", value=fenced)).new == "```\nx = 1\n```"
