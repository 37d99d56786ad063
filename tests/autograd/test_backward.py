"""Backward: order, no duplicates, no gradient lost."""

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refiner.autograd.backward import backward
from refiner.autograd.losses import Check, CheckerLoss, TextLoss
from refiner.autograd.operations import FormattedModelCall, Function, ModelCall, concatenate, total
from refiner.autograd.variable import Feedback, Variable, topological
from refiner.domain.calls import Role
from tests.engines import ScriptedEngine

pytestmark = pytest.mark.anyio


async def test_the_textual_chain_rule_reaches_the_first_variable() -> None:
    engine = ScriptedEngine(lambda text, role: f"{role} no {len(text)}")
    system = Variable("be brief", "system prompt")
    first = await ModelCall(engine, system)(Variable("question", "question", requires_grad=False))
    second = await ModelCall(engine)(first)
    loss = await TextLoss.by(engine, "is it short?")(second)
    await backward(loss, engine)
    assert len(second.gradients) == len(first.gradients) == len(system.gradients) == 1
    gradients = engine.asked(Role.GRADIENT)
    assert len(gradients) == 3
    assert second.gradients[0].text in gradients[1]
    assert first.gradients[0].text in gradients[2]


async def test_a_loss_that_is_its_own_gradient_costs_one_call() -> None:
    engine = ScriptedEngine(lambda _text, _role: "step two is wrong")
    answer = Variable("41", "answer")
    loss = await TextLoss.at_test_time(engine, "6 * 7?", direct=True)(answer)
    await backward(loss, engine)
    assert [feedback.text for feedback in answer.gradients] == ["step two is wrong"]
    assert len(engine.prompts) == 1


async def test_calls_of_one_step_share_their_prefix() -> None:
    engine = ScriptedEngine(lambda _text, role: f"said by {role}")
    answer = Variable("the old answer", "answer")
    loss = await TextLoss.at_test_time(engine, "the question")(answer)
    await backward(loss, engine)
    (critique,), (gradient,) = engine.asked(Role.CRITIC), engine.asked(Role.GRADIENT)
    shared = critique[: critique.index("</candidate>")]
    assert "the question" in shared
    assert gradient.startswith(shared)


async def test_several_fields_a_template_and_a_function_are_all_heard() -> None:
    engine = ScriptedEngine(lambda text, role: f"{role}: {len(text)}")
    name, place = Variable("{name}", "name"), Variable("Ulm", "place")
    text = await FormattedModelCall(engine, "Greet {who} of {where}; keep {this} and {}.")(
        {"who": name, "where": place}, "f"
    )
    assert "Greet {name} of Ulm; keep {this} and {}." in engine.prompts[0][2]
    upper = Function(str.upper, "capital letters")(text)
    loss = await TextLoss.by(engine, "kind to {who}?").fields({"greeting": upper, "name": name})
    await backward(loss, engine)
    assert all(variable.gradients for variable in (name, place, text, upper))
    assert len(name.gradients) == 2
    assert any("capital letters" in prompt for prompt in engine.asked(Role.GRADIENT))


async def test_a_sum_walks_each_loss_once_and_a_concatenation_passes_on() -> None:
    engine = ScriptedEngine(lambda text, role: f"{role} {hash(text)}")
    answer = Variable("x", "answer")
    one = await TextLoss.by(engine, "short?", direct=True)(answer)
    two = await TextLoss.by(engine, "true?", direct=True)(answer)
    await backward(total([one, two, one]), engine)
    assert len(answer.gradients) == 2
    left, right = Variable("a", "left"), Variable("b", "right")
    whole = concatenate(left, right)
    await backward(await TextLoss.by(engine, "good?", direct=True)(whole), engine)
    assert left.gradients == right.gradients == whole.gradients


async def test_losses_walked_one_after_the_other_add_up_until_zero_grad() -> None:
    engine = ScriptedEngine(lambda text, _role: "too long" if "short?" in text else "false")
    answer = Variable("x", "answer")
    for instruction in ("short?", "true?"):
        await backward(await TextLoss.by(engine, instruction, direct=True)(answer), engine)
    assert [feedback.text for feedback in answer.gradients] == ["too long", "false"]
    answer.zero_grad()
    assert answer.gradients == ()
    part = Variable("y", "part")
    whole = concatenate(part)
    for instruction in ("short?", "true?"):
        await backward(await TextLoss.by(engine, instruction, direct=True)(whole), engine)
    assert [feedback.text for feedback in part.gradients] == ["too long", "false"]


async def test_a_checker_costs_no_call() -> None:
    engine = ScriptedEngine()
    answer = Variable("4", "answer")
    loss, check = CheckerLoss(lambda value: Check(value == "5", 0.25, "expected 5"))(answer)
    await backward(loss, engine)
    assert check.score == 0.25
    assert "expected 5" in answer.gradients[0].text
    assert engine.prompts == []


async def test_nothing_flows_into_what_needs_no_gradient() -> None:
    engine = ScriptedEngine()
    fixed = Variable("x", "fixed", requires_grad=False)
    await backward(await TextLoss.by(engine, "good?")(fixed), engine)
    assert fixed.gradients == ()
    assert engine.asked(Role.GRADIENT) == []


async def test_independent_branches_run_at_once() -> None:
    engine = ScriptedEngine()
    losses = [await TextLoss.by(engine, f"{n}?")(Variable(str(n), "answer"), place=str(n)) for n in range(8)]
    engine.most_running = 0
    await backward(total(losses), engine)
    assert engine.most_running == 8


async def test_a_chain_of_a_thousand_functions_is_no_deep_recursion() -> None:
    node = Variable("x", "answer")
    for _ in range(1000):
        node = Function(str, "nothing")(node)
    assert len(topological(node)) == 1001
    engine = ScriptedEngine(lambda _text, _role: "say more")
    leaf = topological(node)[0]
    await backward(await TextLoss.by(engine, "long?")(node), engine)
    assert leaf.gradients


async def test_an_error_of_the_engine_comes_out_as_itself() -> None:
    def broken(_text: str, role: Role) -> str:
        if role is Role.GRADIENT:
            raise LookupError("no model")
        return "flawed"

    engine = ScriptedEngine(broken)
    losses = [await TextLoss.by(engine, f"{n}?")(Variable(str(n), "answer")) for n in range(3)]
    with pytest.raises(LookupError, match="no model"):
        await backward(total(losses), engine)


Edges = list[list[int]]


@st.composite
def graphs(draw: st.DrawFn) -> Edges:
    """For each node but the first, the nodes before it that it is made from."""
    size = draw(st.integers(2, 9))
    return [draw(st.lists(st.integers(0, node - 1), min_size=1, max_size=3)) for node in range(1, size)]


async def walked(edges: Edges) -> tuple[list[tuple[str, ...]], int]:
    engine = ScriptedEngine(lambda text, _role: f"#{hash(text) % 10_000}")
    nodes = [Variable("leaf", "node 0")]
    for number, sources in enumerate(edges, start=1):
        join = Function(lambda *values: " ".join(values)[:50], "joins")
        made = join(*(nodes[source] for source in sources))
        made.role = f"node {number}"
        nodes.append(made)
    loss = await TextLoss.by(engine, "good?")(nodes[-1])
    await backward(loss, engine)
    return [tuple(feedback.text for feedback in node.gradients) for node in nodes], len(engine.prompts)


@settings(max_examples=50)
@given(graphs())
def test_every_edge_that_leads_to_the_loss_is_heard_exactly_once(edges: Edges) -> None:
    gradients, calls = anyio.run(walked, edges)
    above = {len(edges)}
    for node in range(len(edges), 0, -1):
        if node in above:
            above |= set(edges[node - 1])
    distinct = sum(len(set(edges[node - 1])) for node in above if node > 0)
    assert calls == 2 + distinct
    assert all(gradients[node] for node in above)
    assert not any(gradients[node] for node in range(len(gradients)) if node not in above)
    assert all(len(set(texts)) == len(texts) for texts in gradients)


async def test_what_a_walk_begins_with_is_the_evaluation_and_a_long_value_is_shown_whole() -> None:
    """TextGrad shows a function's critic the first and last ten words of a value."""
    engine = ScriptedEngine(lambda _text, _role: "mend the middle")
    program = Variable(" ".join(f"word{n}" for n in range(100)), "program")
    await backward(Function(lambda _: "2 of 3 tests pass", "runs the tests")(program), engine)
    (asked,) = engine.asked(Role.GRADIENT)
    assert program.value in asked
    assert "<evaluation>\n2 of 3 tests pass" in asked
    assert program.gradients[0].text == "mend the middle"


@pytest.mark.parametrize("reply", ["both: be brief", " "])
async def test_a_summary_takes_the_place_of_the_gradients_of_its_walk_before_they_flow_on(reply: str) -> None:
    engine = ScriptedEngine(lambda text, role: reply if "<feedback_1>" in text else f"{role} {sum(map(ord, text))}")
    leaf = Variable("q", "question")
    leaf.add_gradient(Feedback("of before"), (0, 0, 0))
    answer = await ModelCall(engine)(leaf)
    losses = [await TextLoss.by(engine, instruction)(answer) for instruction in ("short?", "true to the facts?")]
    await backward(total(losses), engine, "summary")
    (summary,) = [text for text in engine.asked(Role.GRADIENT) if "<feedback_1>" in text]
    assert len(answer.gradients) == 1
    assert (answer.gradients[0].text == reply) == bool(reply.strip())
    assert answer.gradients[0].text in engine.asked(Role.GRADIENT)[-1]
    assert "<feedback_2>" in summary
    assert leaf.gradients[0].text == "of before"
    assert len(leaf.gradients) == 2
