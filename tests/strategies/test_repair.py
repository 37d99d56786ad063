"""Programs tried against their tests: what is asked, what is kept, and when it ends."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from refiner.app.plan import plan_of, task_of
from refiner.config.settings import Settings
from refiner.domain.calls import Capabilities
from refiner.domain.code import Case, Execution, Outcome, Suite
from refiner.domain.run import Plan, StopReason
from refiner.domain.state import RunState
from refiner.providers.openai import OpenAIProvider
from refiner.strategies.drive import create, resume_run
from tests.scripted.script import Asked
from tests.scripted.server import Scripted
from tests.strategies.judge import PlainJudge
from tests.strategies.worlds import MODEL, world_of

pytestmark = pytest.mark.anyio

BUGGY = "def add(a, b):\n    return a - b\n"
RIGHT = "def add(a, b):\n    return a + b\n"
NEARER = "def add(a, b):\n    return abs(a) + b\n"
TESTS = Suite((("test_add.py", "assert add(1, 2) == 3\nassert add(0, 0) == 0\nassert add(-4, 1) == -3\n"),), "solution")
CRITIQUE = "Look for an input"
APART = "Write six tests"


def code(text: str) -> str:
    return f"It subtracts.\n```python\n{text}```"


def code_plan(program: str | None = BUGGY, suite: Suite | None = TESTS, **settings: object) -> Plan:
    made = Settings.model_validate(settings, strict=False)
    return plan_of(task_of("Mend it.", "code", program, suite), made, MODEL)


def replies(
    programs: Iterator[str] | list[str], critique: str = "Verdict: correct, change nothing"
) -> Callable[[Asked], str]:
    """Programs in their order; tests that say nothing, and one critique."""
    left = iter(programs)

    def script(asked: Asked) -> str:
        if APART in asked.last:
            return "```python\nassert add(2, 2) == 4\nassert add(-1, -1) == -2\n```"
        if CRITIQUE in asked.last:
            return critique
        if "Two programs give" in asked.last:
            return "Answer: B" if "result A: 0" in asked.last else "Answer: A"
        return next(left)

    return script


async def repaired(scripted: Scripted, folder: Path, made: Plan, judge: PlainJudge | None = None) -> RunState:
    async def here() -> PlainJudge:
        return judge or PlainJudge()

    async with world_of(scripted, folder) as world:
        world = world.__class__(world.store, world.connect, judge=here)
        return await resume_run(world, await create(world, made))


async def test_a_program_that_passes_already_costs_nothing(scripted: Scripted, tmp_path: Path) -> None:
    state = await repaired(scripted, tmp_path, code_plan(RIGHT))
    assert (state.usage.calls, state.finished and state.finished.stop.reason) == (0, StopReason.TESTS_PASS)
    assert state.finished is not None
    assert state.finished.exit == 0
    assert state.answer is not None
    assert state.answer.candidate.text == RIGHT


async def test_the_failing_case_is_shown_and_the_first_that_passes_ends_it(scripted: Scripted, tmp_path: Path) -> None:
    scripted.script = replies([code(RIGHT)])
    state = await repaired(scripted, tmp_path, code_plan())
    first = scripted.asked[0].last
    assert "assert add(1, 2) == 3" in first
    assert "actual:   -1" in first
    assert state.answer is not None
    assert state.answer.candidate.text == RIGHT
    assert state.usage.calls == 3  # the mending, the tests made apart, one critique
    assert state.answer.tests is not None
    assert (state.answer.tests.passed, state.answer.tests.total) == (3, 3)


async def test_without_scrutiny_nothing_is_asked_after_the_pass(scripted: Scripted, tmp_path: Path) -> None:
    scripted.script = replies([code(RIGHT)])
    state = await repaired(scripted, tmp_path, code_plan(code={"scrutiny": False}))
    assert state.usage.calls == 1


async def test_the_best_is_kept_and_the_exit_says_that_it_fails(scripted: Scripted, tmp_path: Path) -> None:
    scripted.script = lambda asked: code(NEARER if asked.number % 2 else BUGGY)
    state = await repaired(scripted, tmp_path, code_plan(chains=3, max_iterations=2))
    assert state.finished is not None
    assert (state.finished.exit, state.finished.stop.reason) == (3, StopReason.ITERATIONS)
    assert state.answer is not None
    assert state.answer.candidate.text == NEARER
    assert state.usage.calls <= 3 * 3


async def test_a_repair_that_does_not_improve_is_rejected_and_two_end_the_chain(
    scripted: Scripted, tmp_path: Path
) -> None:
    scripted.script = lambda _asked: code(NEARER)
    state = await repaired(scripted, tmp_path, code_plan(chains=1, max_iterations=9))
    updates = state.chain(1).steps[1:]
    assert [step.accepted for step in updates] == [False, False]
    assert state.chain(1).stop is not None


async def test_what_is_no_program_never_replaces_one(scripted: Scripted, tmp_path: Path) -> None:
    scripted.script = lambda asked: "I cannot help." if asked.number else code(NEARER)
    state = await repaired(scripted, tmp_path, code_plan(chains=2, max_iterations=2))
    assert state.answer is not None
    assert state.answer.candidate.text == NEARER


async def test_it_is_the_same_run_again_with_the_same_seed(scripted: Scripted, tmp_path: Path) -> None:
    scripted.script = lambda asked: code(NEARER if "abs" not in asked.last else BUGGY)
    places = []
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        state = await repaired(scripted, tmp_path / folder, code_plan(chains=4, concurrency=1))
        places.append([(number, len(chain.steps)) for number, chain in state.chains.items()])
    assert places[0] == places[1]


async def test_a_critique_with_a_counterexample_wins_only_if_the_judge_agrees_twice(
    scripted: Scripted, tmp_path: Path
) -> None:
    other = "def add(a, b):\n    return a + b if a >= 0 or b > 0 else 0\n"
    suite = Suite((("test_add.py", "assert add(1, 2) == 3\n"),), "solution")
    said = "add(-1, -1) returns 0 and should be -2.\nVerdict: flawed"
    scripted.script = replies([code(other), code(RIGHT)], said)
    state = await repaired(scripted, tmp_path, code_plan(suite=suite))
    assert state.answer is not None
    assert state.answer.candidate.text == RIGHT
    scripted.script = lambda asked: "Answer: A" if "Two programs" in asked.last else replies([code(other)], said)(asked)


async def test_a_rewrite_that_behaves_the_same_replaces_nothing(scripted: Scripted, tmp_path: Path) -> None:
    longer = "def add(a, b):\n    total = a + b\n    return total\n"
    scripted.script = replies([code(RIGHT), code(longer)], "It is ugly.\nVerdict: flawed")
    state = await repaired(scripted, tmp_path, code_plan())
    assert state.answer is not None
    assert state.answer.candidate.text == RIGHT


async def test_without_tests_the_largest_cluster_wins(scripted: Scripted, tmp_path: Path) -> None:
    scripted.script = replies([code(BUGGY), code(RIGHT), code(RIGHT), code(NEARER), code(RIGHT)])
    state = await repaired(scripted, tmp_path, code_plan(None, None, chains=5, concurrency=1))
    assert state.answer is not None
    assert state.answer.candidate.text == RIGHT
    assert state.finished is not None
    assert state.finished.exit == 0


async def test_the_published_loop_runs_the_tests_before_every_update_and_after_the_last(
    scripted: Scripted, tmp_path: Path
) -> None:
    judge = PlainJudge()
    updates = iter([code(NEARER), code(RIGHT)])

    def script(asked: Asked) -> str:
        return next(updates) if "Improve the" in asked.last else "It subtracts.\nVerdict: flawed"

    scripted.script = script
    state = await repaired(scripted, tmp_path, code_plan(strategy="textgrad"), judge)
    assert judge.judged[:3] == [BUGGY, NEARER, RIGHT]
    assert state.usage.calls == 2 * 3
    assert state.finished is not None
    assert state.finished.stop.reason is StopReason.TESTS_PASS


@pytest.mark.parametrize("suite", [TESTS, None])
async def test_a_reply_without_a_program_solves_nothing(
    scripted: Scripted, tmp_path: Path, suite: Suite | None
) -> None:
    scripted.script = "I cannot help."
    state = await repaired(scripted, tmp_path, code_plan(None, suite, chains=1, max_iterations=0))
    assert state.finished is not None
    assert state.finished.exit == 3


async def test_the_published_loop_keeps_the_words_that_an_update_drops(scripted: Scripted, tmp_path: Path) -> None:
    scripted.script = lambda asked: code(RIGHT) if "Improve the" in asked.last else "It subtracts.\nVerdict: flawed"
    state = await repaired(scripted, tmp_path, code_plan(f"# MIT licence\n{BUGGY}", strategy="textgrad"))
    assert state.answer is not None
    assert state.answer.candidate.text == f"# MIT licence\n{RIGHT}"


async def test_another_language_is_asked_for_by_its_name_and_always_with_the_program(
    scripted: Scripted, tmp_path: Path
) -> None:
    class Never(PlainJudge):
        async def judge(self, source: str, suite: Suite, *, seed: int = 0) -> Execution:
            return Execution(Outcome.FAILED, (Case("node", Outcome.FAILED),))

    program = "function add(a, b) { return a - b; }\n"
    suite = Suite(command="node check.js {}", program="add.js", language="javascript")
    scripted.script = lambda asked: f"```javascript\n{program.replace('-', '+' * (asked.number + 2))}```"
    await repaired(scripted, tmp_path, code_plan(program, suite, chains=3, max_iterations=1), Never())
    assert len(scripted.asked) >= 3
    assert all("```javascript" in asked.last and "function add" in asked.last for asked in scripted.asked)


@pytest.mark.parametrize("strategy", ["repair", "textgrad"])
@pytest.mark.parametrize(
    "edit",
    [
        "@@ -1,2 +1,2 @@\n def add(a, b):\n-    return a - b\n+    return a + b",
        "<<<<<<< SEARCH\n    return a - b\n=======\n    return a + b\n>>>>>>> REPLACE",
    ],
)
async def test_edits_where_a_whole_program_was_asked_for_are_made(
    edit: str, strategy: str, scripted: Scripted, tmp_path: Path
) -> None:
    def script(asked: Asked) -> str:
        rewriting = strategy == "repair" or "Improve the" in asked.last
        return f"So:\n```diff\n{edit}\n```" if rewriting else "It subtracts.\nVerdict: flawed"

    scripted.script = script
    state = await repaired(scripted, tmp_path, code_plan(strategy=strategy, code={"scrutiny": False}))
    assert state.answer is not None
    assert (state.answer.candidate.text, state.answer.score) == (RIGHT, 1.0)
    assert state.usage.calls == (1 if strategy == "repair" else 3)


@pytest.fixture
def weak(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scripted model is a weak one."""

    async def capabilities(_self: OpenAIProvider) -> Capabilities:
        return Capabilities(strong=False)

    monkeypatch.setattr(OpenAIProvider, "capabilities", capabilities)


SUM = "Return the sum of a and b, two numbers of which either may be negative."


@pytest.mark.parametrize(
    ("text", "program", "first"),
    [
        ("Mend it.", BUGGY, "The candidate fails as shown above"),
        ("Mend it.", BUGGY.replace(":\n", ':\n    """The sum of a and b."""\n'), "Complete"),
        (SUM, BUGGY, f'add(a, b):\n    """{SUM}"""\n    ...\n```'),
    ],
)
@pytest.mark.parametrize("strategy", ["repair", "sample"])
@pytest.mark.usefixtures("weak")
async def test_a_weak_model_drafts_anew_only_from_documentation(
    scripted: Scripted,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    program: str,
    first: str,
    strategy: str,
) -> None:
    async def weak(_self: OpenAIProvider) -> Capabilities:
        return Capabilities(strong=False)

    monkeypatch.setattr(OpenAIProvider, "capabilities", weak)
    scripted.script = replies([code(RIGHT.replace(":\n", f':\n    """{text}"""\n'))])
    made = code_plan(program, replace(TESTS, names=("add",)))
    made = replace(made, strategy=strategy, chains=1, iterations=0, task=replace(made.task, text=text))
    state = await repaired(scripted, tmp_path, made)
    assert first in scripted.asked[0].last
    assert state.answer is not None
    assert SUM not in state.answer.candidate.text, "what the task says is no part of the program"
