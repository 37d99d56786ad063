"""refiner.compat.textgrad beyond the tutorials: engines, defaults, loops, operations, data, and the table of names."""

import ast
import json
import re
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextvars import copy_context
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import refiner
import refiner.compat.textgrad as tg
from refiner.compat.textgrad.engine import default, engine_of
from refiner.domain.errors import NotFoundError, UsageError
from refiner.domain.run import StopReason
from tests.compat.conftest import textgrad
from tests.engines import ScriptedEngine

PNG = b"\x89PNG\r\n\x1a\n"
TABLE = Path(__file__).parents[2] / "docs/from-textgrad.md"


class Called(tg.EngineLM):
    """An engine as TextGrad's users write them."""

    def __init__(self, reply: Callable[[str], str] = str) -> None:
        self.reply = reply
        self.asked: list[tuple[Any, str | None]] = []

    def generate(self, content: str | Sequence[str | bytes], system_prompt: str | None = None, **options: Any) -> str:
        self.asked.append((content, system_prompt))
        return self.reply(str(content))


def variable(value: str | bytes = "v", role: str = "part") -> tg.Variable:
    return tg.Variable(value, role_description=role)


def test_an_engine_of_ones_own_gets_texts_systems_and_images() -> None:
    engine = Called(lambda _: "seen")
    picture = variable(PNG)
    reply = tg.autograd.MultimodalLLMCall(engine, variable("be brief"))([picture, variable("what is it?")])
    assert engine.asked == [([PNG, "what is it?"], "be brief")]
    assert reply.value == "seen"
    assert picture in reply.predecessors
    assert not picture.requires_grad


@pytest.mark.anyio
async def test_a_limit_of_calls_holds_for_an_engine_of_ones_own() -> None:
    engine = engine_of(Called())
    x = refiner.Variable("x", "answer")
    loss = refiner.TextLoss.by(engine, "good?")
    found = await refiner.descend(
        refiner.TextualGradientDescent([x], engine), lambda _: loss(x), until="calls:3 | iterations:9"
    )
    assert found.stop.reason is StopReason.CALLS


def test_an_engine_of_ones_own_is_called_once_at_a_time() -> None:
    barrier = threading.Barrier(2)

    def alone(_: str) -> str:
        try:
            barrier.wait(0.05)
        except threading.BrokenBarrierError:
            barrier.reset()
            return "alone"
        return "together"

    x = variable()
    tg.sum([tg.TextLoss(word, Called())(x) for word in ("good?", "short?")]).backward(Called(alone))
    assert x.get_gradient_text() == "alone"


def test_a_default_is_of_its_context_and_refused_twice() -> None:
    def one(engine: tg.EngineLM, seen: list[Any]) -> None:
        tg.set_backward_engine(engine)
        with pytest.raises(UsageError, match="override=True"):
            tg.set_backward_engine(engine)
        seen.append(tg.BlackboxLLM().engine)

    engines = [Called(), Called()]
    seen: list[Any] = []
    for engine in engines:
        copy_context().run(one, engine, seen)
    threads = [threading.Thread(target=one, args=(engine, seen)) for engine in engines]
    for thread in threads:
        thread.start()
        thread.join()
    assert [engine.function for engine in seen] == [*engines, *engines]
    assert default.get() is None
    with pytest.raises(UsageError, match="set_backward_engine"):
        variable().backward()


@pytest.mark.anyio
async def test_it_works_within_a_running_loop() -> None:
    engine = ScriptedEngine()
    x = variable()
    loss = tg.TextLoss("good?", engine)(x)
    loss.backward(engine)
    assert [update.problem for update in tg.TGD([x], engine=engine).step()] == [None]
    assert x.value == "better"


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("gpt-4o", "openai:gpt-4o"),
        ("o3-mini", "openai:o3-mini"),
        ("experimental:openai/gpt-4o", "openai:gpt-4o"),
        ("sonnet-3.5", "anthropic:claude-3-5-sonnet-20240620"),
        ("experimental:claude-3-opus-20240229", "anthropic:claude-3-opus-20240229"),
        ("groq-llama3", "groq:llama3"),
        ("gemini-2.5-pro", "gemini:gemini-2.5-pro"),
        ("experimental:gemini/gemini-2.5-pro", "gemini:gemini-2.5-pro"),
        ("ollama-llama3", "openai:llama3"),
        ("openai:gpt-5.4-mini", "openai:gpt-5.4-mini"),
    ],
)
def test_engines_by_name(name: str, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("refiner.compat.textgrad.engine.opened", lambda _: None)
    monkeypatch.setattr("refiner.app.engine.engine", lambda name, **_: opened.append(name))
    tg.get_engine(name, cache=True)
    assert opened == [model]


def test_engines_that_cannot_be_opened_say_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFINER_HOME", str(tmp_path))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(UsageError, match="OPENAI_API_KEY"):
        tg.get_engine("gpt-4o")
    with pytest.raises(UsageError, match='no model "invalid-engine"'):
        tg.get_engine("invalid-engine")


def test_operations_keep_their_braces_and_their_fields() -> None:
    engine = Called(lambda _: "<ACCURACY> 1 </ACCURACY>")
    fields = {"The question": variable("2 + 2?"), "Answer_1": variable("{4}")}
    call = tg.autograd.FormattedLLMCall(engine, '{{"json": 1}} {The question} {Answer_1}', dict.fromkeys(fields))
    call(fields)
    tg.autograd.formatted_llm_call(fields, None, engine, '{"json": 1} {Answer_1}', fields)
    assert [asked for asked, _ in engine.asked] == ['{"json": 1} 2 + 2? {4}', '{"json": 1} {4}']
    evaluation = tg.loss.MultiFieldTokenParsedEvaluation(
        variable("Right? {x}"), [*fields], engine, parse_tags=["<ACCURACY>", "</ACCURACY>"]
    )
    assert evaluation.parse_output(evaluation([*fields.values()])) == "1"
    assert engine.asked[-1][0] == "Right? {x}\n**The question**: 2 + 2?\n**Answer_1**: {4}"
    with pytest.raises(UsageError, match="takes The question, Answer_1"):
        call({"x": variable()})


def test_an_aggregate_brings_one_summary() -> None:
    engine = ScriptedEngine(lambda text, _: "summary" if "<feedback_1>" in text else f"reply {len(engine.prompts)}")
    x = variable()
    losses = [tg.TextLoss(f"{word}?", engine)(x + variable(word)) for word in ("short", "true")]
    tg.aggregate(losses).backward(engine)
    assert x.get_gradient_text() == "summary"


def test_tasks_come_from_files_and_say_which(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"has no word_sorting\.json"):
        tg.tasks.load_task("BBH_word_sorting", root=tmp_path)
    with pytest.raises(UsageError, match="there is no task X"):
        tg.tasks.load_task("X")
    (tmp_path / "machine_learning_test.csv").write_text("Which is even?,1,2,3,5,B\n")
    ((question, answer, loss, score),) = tg.tasks.load_instance_task("MMLU_machine_learning", Called(), root=tmp_path)
    assert answer == "B"
    assert [score(variable(text)) for text in ("Answer: B", "Answer: C", "who knows")] == [1.0, 0.0, 0.0]
    assert question in loss(variable("Answer: C")).value
    for name in ("train", "test"):
        lines = (json.dumps({"question": f"{n}?", "answer": f"so\n#### {n}"}) for n in range(600))
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines))
    *splits, equal = tg.tasks.load_task("GSM8K_DSPy", root=tmp_path)
    assert [len(split) for split in splits] == [200, 300, 600]
    right, wrong = (
        equal({"prediction": variable(f"{n} apples"), "ground_truth_answer": variable("7")}) for n in (7, 8)
    )
    assert [right.value, wrong.value] == ["1", "0"]


def rows() -> Iterator[tuple[str, str]]:
    """The first two columns of the tables of names."""
    for line in TABLE.read_text().splitlines():
        if line.startswith("| `"):
            _, theirs, ours, *_ = line.replace("\\|", "¦").split("|")
            yield theirs, ours


def test_our_names_in_the_table_exist() -> None:
    names = [name for _, ours in rows() for name in re.findall(r"`((?:tg|refiner)\.[\w.]+)", ours)]
    assert len(names) > 60
    for name in names:
        parts = (
            name.replace("tg.", "refiner.compat.textgrad.", 1).split(".") if name.startswith("tg.") else name.split(".")
        )
        assert found(parts), f"there is no {name}"


def found(parts: Sequence[str]) -> bool:
    """Whether a dotted name leads anywhere: modules as far as there are any, then attributes and fields."""
    for end in range(len(parts), 0, -1):
        try:
            here: Any = import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            if not hasattr(here, part) and part not in getattr(here, "__dataclass_fields__", {}):
                return False
            here = getattr(here, part, None)
        return True
    return False


@pytest.mark.skipif(textgrad() is None, reason="TEXTGRAD_PYTHON names no Python")
def test_the_table_has_every_public_name_of_textgrad() -> None:
    where = "import importlib.util as u; print(u.find_spec('textgrad').submodule_search_locations[0])"
    root = Path(subprocess.run([str(textgrad()), "-c", where], stdout=-1, check=True, text=True).stdout.strip())
    told = {name for theirs, _ in rows() for name in re.findall(r"`([\w.]+)", theirs)}
    public = {name for path in root.rglob("*.py") for name in public_names(path)}
    assert sorted(public - told) == []
    assert sorted(told - public) == []


def public_names(path: Path) -> Iterator[str]:
    """Classes, their methods but `forward`, `backward` and `generate`, functions and constants of a module."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            yield node.name
        if isinstance(node, ast.ClassDef):
            methods = (method.name for method in node.body if isinstance(method, ast.FunctionDef))
            yield from (
                f"{node.name}.{name}"
                for name in methods
                if not name.startswith("_") and name not in ("forward", "backward", "generate")
            )
        if isinstance(node, ast.Assign):
            names = (target.id for target in node.targets if isinstance(target, ast.Name))
            yield from (name for name in names if not name.startswith("_"))
