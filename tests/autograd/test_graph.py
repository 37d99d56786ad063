"""A graph as text, SVG and HTML: everything is in it once, and nothing of it is live."""

from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import refiner
from refiner.autograd.layout import HEIGHT, WIDTH, layout
from refiner.autograd.variable import Feedback
from refiner.domain.calls import Usage
from tests.engines import ScriptedEngine

pytestmark = pytest.mark.anyio
SVG = "{http://www.w3.org/2000/svg}"


async def walked() -> refiner.Variable:
    engine = ScriptedEngine(lambda _text, role: f"<b>{role}</b> & \x1b[31m\u202esaid\x00")
    system = refiner.Variable("be <i>brief</i>", "system prompt")
    question = refiner.Variable("6 * 7?", "question", requires_grad=False)
    answers = [await refiner.ModelCall(engine, system)(question) for _ in range(2)]
    losses = [await refiner.TextLoss.by(engine, "is it short?")(answer) for answer in answers]
    root = refiner.total(losses)
    await refiner.backward(root, engine)
    return root


async def test_the_text_tells_each_node_once_with_its_value_its_feedback_and_its_cost() -> None:
    root = await walked()
    text = str(root.graph())
    lines = text.split("\n")
    assert lines[0].startswith("#6 sum of evaluations (Sum)")
    assert text.count("be <i>brief</i>") == 1
    assert [line.split()[-1] for line in lines if "system prompt" in line and "value" not in line] == ["prompt", "↑"]
    assert "gradient  <b>gradient</b>" in text
    assert "2 calls, 0 tokens, $0.0000" in text  # the answer, and its feedback
    assert root.graph().usage == Usage(2 + 2 + 2 + 2)
    assert not set("\x1b\x00\u202e") & set(text)


async def test_pictures_are_well_formed_and_hold_no_markup_of_models() -> None:
    graph = (await walked()).graph()
    drawn = ElementTree.fromstring(graph.svg())
    assert len(drawn.findall(f"{SVG}svg")) == len(graph.nodes) == 7
    assert len(drawn.findall(f"{SVG}path")) == sum(len(node.sources) for node in graph.nodes) == 8
    page = graph.html()
    assert "be &lt;i&gt;brief&lt;/i&gt;" in page
    assert not any(mark in page for mark in ("<b>", "<i>", "<script", "\x1b", "\x00"))
    assert page.count("<details>") == 7


@settings(max_examples=40)
@given(st.lists(st.lists(st.integers(0, 7), max_size=3), min_size=1, max_size=9))
def test_no_two_boxes_overlap_and_edges_go_down(drawn: list[list[int]]) -> None:
    sources = [list(dict.fromkeys(s for s in wanted if s < node)) for node, wanted in enumerate(drawn)]
    placed = layout(sources)
    assert len(placed.edges) == sum(map(len, sources))
    for one, (x, y) in enumerate(placed.places):
        assert x >= 0
        assert x + WIDTH <= placed.width
        assert y + HEIGHT <= placed.height
        for right, down in placed.places[one + 1 :]:
            assert abs(x - right) >= WIDTH or abs(y - down) >= HEIGHT
    for edge in placed.edges:
        heights = [y for _, y in edge]
        assert heights == sorted(heights)


def test_a_node_that_costs_nothing_says_nothing_and_an_unknown_price_is_none() -> None:
    variable = refiner.Variable("x", "answer")
    assert "cost" not in str(variable.graph())
    variable.add_gradient(Feedback("longer", usage=Usage(1, 5, cost_usd=None)), (0, 0, 0))
    assert "1 call, 5 tokens, price unknown" in str(variable.graph())
