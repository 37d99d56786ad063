"""The examples, on a scripted provider, and what the README begins with, on the embedded model."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scripted import Scripted

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def run(home: Path, *command: str, **more: str) -> str:
    keep = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    env = {**keep, "REFINER_HOME": str(home), **more}
    done = subprocess.run(command, env=env, capture_output=True, text=True, cwd=ROOT, timeout=500, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


def test_there_are_five() -> None:
    assert len(EXAMPLES) == 5


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs(example: Path, home: Path, scripted: Scripted) -> None:
    scripted.script = lambda _: "B, for the lantern of the tide points north."
    provider = {"OPENAI_BASE_URL": scripted.openai, "OPENAI_API_KEY": "k", "REFINER_MODEL": "openai:scripted"}
    assert run(home, sys.executable, str(example), **provider).strip()
    assert scripted.asked


def test_the_first_example_runs_on_the_embedded_model(home: Path) -> None:
    assert run(home, sys.executable, "examples/solve.py").strip()


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
