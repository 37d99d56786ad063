"""A DSPy program refined at test time, over the scripted provider: what it gives, costs, and does not buy twice."""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import anyio.lowlevel
import pytest

from refiner.app.world import store_of
from refiner.config.sources import load
from refiner.domain.errors import ProviderError, UsageError
from refiner.domain.result import Result
from refiner.domain.run import StopReason
from tests.scripted import Asked, Outcome, Scripted, status

dspy = pytest.importorskip("dspy")
from refiner.integrations.dspy import Refined  # noqa: E402

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("lm")]
PAGE = (Path(__file__).parents[2] / "docs" / "modules.md").read_text("utf-8")
INPUTS = {"question": "What is the capital of Belgium?"}


class Model:
    """Drafts as DSPy's adapter wants it, a critique, and rewrites in their order."""

    def __init__(self, draft: str, *rewrites: Outcome, critique: Callable[[], object] = bool) -> None:
        self.draft, self.critique = draft, critique
        self.rewrites = iter(rewrites)
        self.roles: list[str] = []

    def __call__(self, asked: Asked) -> Outcome:
        if "[[ ##" in asked.last:
            self.roles.append("draft")
            return f"[[ ## reasoning ## ]]\nI know.\n\n[[ ## answer ## ]]\n{self.draft}\n\n[[ ## completed ## ]]"
        if "Examine the candidate" in asked.last:
            self.roles.append("critique")
            self.critique()
            return "It is too long.\nVerdict: flawed"
        self.roles.append("rewrite")
        rewrite = next(self.rewrites)
        return f"<improved>{rewrite}</improved>" if isinstance(rewrite, str) else rewrite


@pytest.fixture
def lm(scripted: Scripted, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("REFINER_HOME", str(tmp_path))
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "true")  # DSPy would fetch a list of prices
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0")
    monkeypatch.setenv("OPENAI_BASE_URL", scripted.openai)
    lm = dspy.LM("openai/scripted", api_base=scripted.openai, api_key="k", cache=False)
    with dspy.context(lm=lm):
        yield


def short(args: dict[str, Any], prediction: Any) -> float:
    """1 for one word, less for each more."""
    assert args == INPUTS
    return 1 / len(str(prediction.answer).split())


def refined(reward: Any = short, signature: str = "question -> answer", **settings: Any) -> Refined:
    return Refined(dspy.ChainOfThought(signature), reward, model="openai:scripted", **settings)


async def test_an_answer_is_rewritten_until_its_reward_is_reached(scripted: Scripted) -> None:
    scripted.script = model = Model("It is Brussels", "It is the city of Brussels", "Brussels")
    prediction, result = await refined().refine(INPUTS)
    assert (prediction.answer, prediction.reasoning) == ("Brussels", "I know.")
    assert model.roles == ["draft", "critique", "rewrite", "critique", "rewrite"]
    assert [(step.parsed, step.accepted, step.score) for step in result.iterations] == [
        ("It is Brussels", True, pytest.approx(1 / 3)),
        ("It is the city of Brussels", False, None),
        ("Brussels", True, 1.0),
    ]
    assert (result.stop.reason, result.exit, result.strategy) == (StopReason.TARGET, 0, "dspy")
    assert result.usage.calls == scripted.billed.calls == 5
    assert result.usage.input_tokens == scripted.billed.input_tokens
    critic = scripted.asked[1].last
    assert "0.333333, and 1 is wanted" in critic
    assert "less for each more" in critic  # the reward's own source
    assert "reasoning: I know." in critic
    assert [scripted.asked[number].body["temperature"] for number in (1, 3)] == [0.0, 0.8]  # after a rejected rewrite


def test_a_draft_that_is_good_enough_costs_no_further_call(scripted: Scripted) -> None:
    scripted.script = model = Model("Brussels")
    assert refined()(**INPUTS).answer == "Brussels"
    assert model.roles == ["draft"]


async def test_the_budget_holds_and_a_run_goes_on_without_buying_anything_twice(scripted: Scripted) -> None:
    scripted.script = model = Model("It is Brussels", status(401), "Brussels")
    program = refined(max_calls=3)
    with pytest.raises(ProviderError):
        await program.refine(INPUTS)
    with pytest.raises(UsageError, match="not of this program and these inputs"):
        await program.refine({"question": "another"}, run="@")
    prediction, result = await program.refine(INPUTS, run="@")
    assert model.roles == ["draft", "critique", "rewrite", "rewrite"]
    assert (prediction.answer, prediction.reasoning, result.usage.calls) == ("Brussels", "I know.", 3)
    scripted.script = model = Model("It is Brussels", "It is Brussels now")
    prediction, result = await program.refine(INPUTS)
    assert (prediction.answer, result.stop.reason, result.exit) == ("It is Brussels", StopReason.CALLS, 3)
    assert model.roles == ["draft", "critique", "rewrite"]


async def test_another_process_ends_it_and_it_goes_on(scripted: Scripted) -> None:
    ended = Event()
    scripted.script = model = Model("It is Brussels", "Brussels", critique=lambda: ended.wait(60))
    store = await store_of(load().paths)
    results: list[Result] = []

    async def refine() -> None:
        prediction, result = await refined().refine(INPUTS)
        assert prediction.answer == "It is Brussels"
        results.append(result)

    async with anyio.create_task_group() as group:
        group.start_soon(refine)
        while "critique" not in model.roles:
            await anyio.lowlevel.checkpoint()
        await store.ask(await store.find("@"), "cancel", "ada")
    ended.set()
    await store.aclose()
    [result] = results
    assert (result.status, result.exit, result.stop.detail) == ("interrupted", 130, "cancel: asked for by ada")
    prediction, result = await refined().refine(INPUTS, run=result.id)
    assert (prediction.answer, result.status) == ("Brussels", "done")


async def test_a_rewrite_of_another_type_is_no_rewrite(scripted: Scripted) -> None:
    scripted.script = Model("7", "many", "still many", "12")

    def even(_args: Any, prediction: Any) -> float:
        return float(prediction.answer % 2 == 0)

    prediction, result = await refined(even, "question -> answer: int").refine(INPUTS)
    assert prediction.answer == 12
    assert [step.accepted for step in result.iterations] == [True, False, True]


async def test_the_snippet_of_the_page_runs(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REFINER_MODEL", "openai:scripted")
    scripted.script = model = Model("It is Brussels", "Brussels", "Brussels")
    block = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[-1]
    await eval(compile(block, "modules.md", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), {})
    assert capsys.readouterr().out.startswith("Brussels ")
    assert model.roles == ["draft", "critique", "rewrite"] * 2
