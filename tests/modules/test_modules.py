"""Modules: names, state, gradients through nested ones, and what compiling keeps."""

import json
from pathlib import Path

import pytest

import refiner
from refiner import Ask, Compiler, Example, Module, Variable
from refiner.domain.calls import Role
from refiner.domain.errors import UsageError
from refiner.domain.run import StopReason
from refiner.modules.compiler import Compiled
from tests.engines import ScriptedEngine
from tests.scripted import Scripted

pytestmark = pytest.mark.anyio


class Chained(Module):
    """A plan, and an answer by it."""

    def __init__(self, engine: refiner.autograd.prompt.Engine) -> None:
        self.planning = Ask(engine, "Make a plan.", "plan")
        self.steps = [Ask(engine, "Follow the plan."), self.planning]
        self.style = Variable("short", "style", requires_grad=False)

    async def __call__(self, question: Variable) -> Variable:
        return await self.steps[0](self.style, await self.planning(question))


NAMES = [
    *("planning.instruction", "planning.demonstrations"),
    *("steps.0.instruction", "steps.0.demonstrations", "style"),
]


def test_parameters_are_named_by_the_way_to_them_and_a_shared_one_once() -> None:
    module = Chained(ScriptedEngine())
    assert [name for name, _ in module.named_parameters()] == NAMES
    assert [name for name, _ in module.named_modules()] == ["", "planning", "steps.0"]
    assert module.parameters()[0] is module.planning.instruction
    module.style = module  # type: ignore[assignment]
    assert len(module.parameters()) == 4


def test_a_state_is_saved_and_loaded_whole_or_not_at_all(tmp_path: Path) -> None:
    module, other = Chained(ScriptedEngine()), Chained(ScriptedEngine())
    module.planning.instruction.value, module.style.role = "Plan über zwei Zeilen.\nSo.", "tone"
    module.save(tmp_path / "state.json")
    assert list(json.loads((tmp_path / "state.json").read_text("utf-8"))) == NAMES
    other.load(tmp_path / "state.json")
    with pytest.raises(UsageError, match="cannot be written: No such file"):
        module.save(tmp_path / "none" / "state.json")
    assert other.state() == module.state()
    old = module.state()
    broken = {
        "it lacks planning.instruction, style": {n: old[n] for n in NAMES if n not in (NAMES[0], "style")},
        "this one has no more": {**old, "style": {"role": "r", "value": "other"}, "more": {}},
        "style needs a role and a value": {**old, NAMES[0]: {"role": "r", "value": "other"}, "style": {"role": "r"}},
    }
    for message, state in broken.items():
        with pytest.raises(UsageError, match=message):
            other.load(state)
        assert other.state() == old
    whole = (tmp_path / "state.json").read_bytes()
    files = {
        "holds no object": b"[1]",
        "cut off: Expecting ':' delimiter": whole[:40],
        "cut off: Expecting value": b"",
        "cut off: .utf-8. codec": b"{\xff}",
        "cut off: maximum recursion": b"[" * 100_000,
    }
    for message, content in files.items():
        (tmp_path / "broken.json").write_bytes(content)
        with pytest.raises(UsageError, match=rf"broken\.json is no state of a module.*{message}"):
            other.load(tmp_path / "broken.json")
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        other.load(tmp_path)
    with pytest.raises(UsageError, match=r"no file .*none\.json"):
        other.load(tmp_path / "none.json")
    assert other.state() == old


def test_a_state_that_cannot_be_written_whole_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, module = tmp_path / "state.json", Chained(ScriptedEngine())
    module.save(file)
    old = file.read_bytes()
    module.style.value = "long"

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(UsageError, match=r"state\.json cannot be written: No space left"):
        module.save(file)
    assert (file.read_bytes(), [*tmp_path.iterdir()]) == (old, [file])


async def test_gradients_reach_the_parameters_of_inner_modules(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REFINER_HOME", str(tmp_path))

    def script(asked: object) -> str:
        text = getattr(asked, "last", "")
        if "The variable to improve is the " in text:
            return "better: " + text.rpartition("The variable to improve is the ")[2].partition(".")[0]
        return "the plan" if text == "why?" else "the answer"

    scripted.script = script
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0")
    monkeypatch.setenv("OPENAI_BASE_URL", scripted.openai)
    async with refiner.engine("openai:scripted") as engine:
        module = Chained(engine)
        module.planning.show([Example("where?", "plan of places")])
        output = await module(Variable("why?", "question", requires_grad=False))
        loss, _ = refiner.CheckerLoss(lambda text: refiner.Check(False, 0.0, f"{text} is wrong"))(output)
        await refiner.backward(loss, engine)
    heard = {name: [one.text for one in parameter.gradients] for name, parameter in module.named_parameters()}
    assert output.value == "the answer"
    assert heard["planning.instruction"] == ["better: instruction to the model that writes the plan"]
    assert heard["steps.0.instruction"] == ["better: instruction to the model that writes the answer"]
    assert not any(heard[name] for name in NAMES if "instruction" not in name)
    assert len(scripted.asked) == 5
    asked = [asked.last for asked in scripted.asked]
    (inner,) = (text for text in asked if "improve is the instruction to the model that writes the plan" in text)
    assert "better: plan" in inner  # what the plan heard is what its instruction hears of


def adding(text: str, role: Role) -> str:
    """A model that adds what its instruction allows: numbers below the one that it names, or all that it was shown."""
    if role is Role.UPDATER:
        most = int(text.rpartition("up to ")[2].split()[0].strip(".<"))
        return f"<improved>Add numbers up to {most + 2}.</improved>"
    if role is Role.GRADIENT:
        return "it must add larger numbers"
    most = int(text.partition("up to ")[2].split(".")[0]) + (10 if text.count("the reply is") >= 2 else 0)
    number = int(text.split()[-1])
    return str(number + number) if number <= most else "too large"


def sums(*numbers: int) -> list[Example]:
    return [Example(str(number), str(2 * number)) for number in numbers]


def right(answer: str, example: Example) -> float:
    return float(answer == example.answer)


async def compiled(**options: object) -> tuple[Ask, Compiled, ScriptedEngine]:
    engine = ScriptedEngine(adding)
    module = Ask(engine, "Add numbers up to 3.")
    compiler = Compiler(engine, right, batch=2, **options)  # type: ignore[arg-type]
    return module, await compiler.compile(module, sums(1, 2, 3, 4, 5, 6, 7, 8), sums(2, 5, 8, 12)), engine


async def test_compiling_learns_instructions_and_then_demonstrations() -> None:
    module, found, engine = await compiled(until="iterations:2", demonstrations=2)
    assert (found.before, found.after, found.shown) == (0.25, 1.0, 2)
    assert module.instruction.value == "Add numbers up to 5."
    assert module.demonstrations.value.count("the reply is") == 2
    assert (found.stop.reason, found.calls) == (StopReason.ITERATIONS, len(engine.prompts))
    assert module.engine is engine
    assert "the answer should be" in engine.asked(Role.GRADIENT)[0]
    again, same, _ = await compiled(until="iterations:2", demonstrations=2)
    assert (again.state(), same) == (module.state(), found)
    other, _, seeded = await compiled(until="iterations:2", demonstrations=2, seed=5)
    assert other.demonstrations.value != module.demonstrations.value
    assert seeded.asked(Role.GRADIENT)[0] != engine.asked(Role.GRADIENT)[0]
    alone, without, _ = await compiled(until="iterations:2", demonstrations=0)
    assert (alone.instruction.value, without.after) == ("Add numbers up to 5.", 0.5)


async def test_what_makes_validation_fall_is_taken_back() -> None:
    def forgetting(text: str, role: Role) -> str:
        if role is Role.UPDATER:
            return "<improved>Add numbers up to 0.</improved>"
        return "wrong" if "the reply is" in text else adding(text, role)

    engine = ScriptedEngine(forgetting)
    module = Ask(engine, "Add numbers up to 3.")
    found = await Compiler(engine, right).compile(module, sums(1, 2, 7, 8), sums(3, 9))
    assert found.before == found.after > 0
    assert (module.instruction.value, module.demonstrations.value, found.shown) == ("Add numbers up to 3.", "", 0)


async def test_what_is_no_better_is_gone_on_from_but_replaces_nothing() -> None:
    """Numbers up to 5 and up to 7 answer what 3 answers of the validation; 9 is better."""
    for steps, instruction in ((2, "Add numbers up to 3."), (3, "Add numbers up to 9.")):
        engine = ScriptedEngine(adding)
        module = Ask(engine, "Add numbers up to 3.")
        compiler = Compiler(engine, right, f"iterations:{steps}", demonstrations=0)
        found = await compiler.compile(module, sums(1, 4, 6, 8, 12), sums(2, 9))
        assert module.instruction.value == instruction
        assert found.after - found.before == (0.5 if steps == 3 else 0.0)


@pytest.mark.parametrize("calls", [4, 9, 12, 20, 30])
async def test_no_call_is_made_above_the_budget_and_the_best_stays(calls: int) -> None:
    module, found, engine = await compiled(calls=calls)
    assert len(engine.prompts) == found.calls == calls
    assert found.stop.reason is StopReason.CALLS
    assert module.engine is engine
    assert await Compiler(engine, right).score(module, sums(2, 5, 8, 12)) == found.after
    with pytest.raises(UsageError, match="all 3 calls are made, and they do not cover"):
        await compiled(calls=3)


async def test_demonstrations_of_inner_modules_are_their_own_inputs_and_answers() -> None:
    engine = ScriptedEngine(lambda text, _role: f"plan of {text.split()[-1]}" if "Make a plan" in text else "done")
    module = Chained(engine)
    module.planning.show([Example("a trip", "plan of trips")])
    compiler = Compiler(engine, lambda answer, _: float(answer == "done"), until="iterations:1", demonstrations=1)
    examples = [Example("tea", "done"), Example("tax", "done")]
    output = await module(examples[0].variable)
    assert list(module.planning.made(output)) == [Example("tea", "plan of tea")]
    assert list(module.steps[0].made(output)) == [Example("short\n\nplan of tea", "done")]
    assert (await compiler.compile(module, examples)).stop.reason is StopReason.CONVERGED
    assert "a trip" in module.planning.demonstrations.value  # all was right already: nothing scores higher
    with pytest.raises(UsageError, match="give two or more"):
        await compiler.compile(module, examples[:1])


async def test_a_lone_ask_that_gets_nothing_right_is_shown_wanted_answers() -> None:
    engine = ScriptedEngine(lambda text, _role: "B" if "the reply is\nB" in text else "billing")
    module = Ask(engine, "Sort the letter.")
    letters = [Example(f"letter {number}", "B") for number in range(6)]
    found = await Compiler(engine, right, until="iterations:0", demonstrations=2).compile(module, letters)
    assert (found.before, found.after, found.shown) == (0.0, 1.0, 2)
