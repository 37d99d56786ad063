"""The examples, on a scripted provider, and what the README begins with, on the embedded model."""

import json
import os
import re
import runpy
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.examples.replies import PROMPT, counting, replies
from tests.scripted import STALL, Asked, Outcome, Scripted

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
SAYS = {
    "snippet": "3 of 3 tests pass, tests-pass",
    "molecules": "CC(=O)Oc1ccccc1C(=O)O: accepted",
    "plans": "kept 4 17 17 17 4 17 17 17: tumour D95 62.0 Gy, tumour maximum 73.7 Gy, organ mean 23.2 Gy, 0.0 Gy off",
}
"""What is seen in what an example prints."""


def provider(scripted: Scripted) -> dict[str, str]:
    return {"OPENAI_BASE_URL": scripted.openai, "OPENAI_API_KEY": "k", "REFINER_MODEL": "openai:scripted"}


def run(home: Path, *command: str) -> str:
    keep = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    env = {**keep, "REFINER_HOME": str(home), "REFINER_LOCAL__THREADS": "1"}  # others take the other cores
    done = subprocess.run(command, env=env, capture_output=True, text=True, cwd=ROOT, timeout=500, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


def test_each_is_told_of() -> None:
    told = re.findall(r"\[(\w+)\.py\]", (ROOT / "examples/README.md").read_text())
    assert sorted(told) == [example.stem for example in EXAMPLES]


@pytest.fixture
def program(
    home: Path, scripted: Scripted, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Runs an example on the scripted provider within this process, which has imported most of it: what it prints."""
    for name, value in {**provider(scripted), "REFINER_HOME": str(home)}.items():
        monkeypatch.setenv(name, value)

    def run(example: str, *words: str) -> str:
        monkeypatch.setattr(sys, "argv", [example, *words])
        runpy.run_path(str(ROOT / f"examples/{example}.py"), run_name="__main__")
        return capsys.readouterr().out

    return run


@pytest.mark.parametrize("example", [each.stem for each in EXAMPLES if each.stem != "optimize_prompt"])
def test_an_example_runs(example: str, program: Callable[..., str], scripted: Scripted) -> None:
    scripted.script = replies(example)
    said = program(example)
    assert said.strip()
    assert SAYS.get(example, "") in said
    assert scripted.asked


def test_the_optimized_prompt_is_gone_on_with_after_a_kill(program: Callable[..., str], scripted: Scripted) -> None:
    stalled = threading.Event()

    def stalling(asked: Asked) -> Outcome:
        if len(scripted.asked) == 35:  # within the first step
            stalled.set()
            return STALL
        return counting(asked)

    scripted.script = stalling
    words = ("--max_epochs", "1", "--steps", "1")
    command = [sys.executable, "examples/optimize_prompt.py", *words]
    process = subprocess.Popen(command, env={**os.environ, "REFINER_CONCURRENCY": "1"}, cwd=ROOT)
    assert stalled.wait(120)
    process.kill()
    process.wait()
    said = program("optimize_prompt", *words, "--resume", "@")
    assert said.startswith(PROMPT)
    assert "test accuracy before: 0.0%, 95 % interval 0.0% to 24.2%" in said
    assert "test accuracy after: 100.0%, 95 % interval 75.8% to 100.0%" in said
    assert len(scripted.asked) == 1 + 4 * 12 + 3 * 3 + 1


def test_solve_refines_with_the_embedded_model_from_the_command_line_to_the_database(home: Path) -> None:
    command = [sys.executable, "-m", "refiner"]
    question = "How many minutes are there in 3 hours and 20 minutes?"
    said = run(home, *command, "solve", question, "-s", "refine", "-n", "1", "--max-output-tokens", "64", "--json")
    result = json.loads(said)
    assert result["models"]["answer"].startswith("local:")
    assert result["usage"]["cost_usd"] == 0
    assert result["usage"]["calls"] >= 2
    assert result["answer"]
    log = json.loads(run(home, *command, "run", "log", "@", "--json"))
    assert [call["key"] for call in log][:2] == ["0/0/answer/0", "0/0/critic/loss"]
    # The critique's prompt begins as the draft's does, and the model does not read that part again.
    assert log[1]["usage"]["cached_input_tokens"] > 0
