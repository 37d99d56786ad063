"""TextGrad's tutorials run with only the import line changed; with TEXTGRAD_PYTHON they run on TextGrad, too."""

import json
import os
import runpy
import subprocess
from collections.abc import Mapping
from contextvars import copy_context
from functools import partial
from pathlib import Path

import pytest

from tests.compat.conftest import IMPLEMENTATIONS, textgrad
from tests.scripted import Asked, Scripted

PROGRAMS = Path(__file__).parent / "programs"
BETTER = "You count. Add up every number. The last line of your response is 'Answer: N'."
OUTPUT = {
    "solution": ["2x + 6 = 10, so x = 2."],
    "code": ["def double(x):", "    return 2 * x"],
    "multimodal": ["A red dot."],
    "primitives": ["0", "I am well.", "1 1", "0 A sentence without a typo"],
    "prompt": ["50 100 10", "rejected", f"[0.0, 1.0, 1.0] {BETTER}"],
}


def model(asked: Asked) -> str:
    """A model that finds fault with everything and mends what it is asked to."""
    prompt = "\n".join(text for _, text in asked.messages)
    if "<improved>" in prompt:
        return f"<improved>{mended(prompt)}</improved>"
    if "IMPROVED_VARIABLE" in prompt:
        return f"<IMPROVED_VARIABLE>{mended(prompt)}</IMPROVED_VARIABLE>"
    if "How many apples" in asked.last and "Feedback" not in prompt and "FUNCTION" not in prompt:
        return f"Answer: {asked.last.split()[2]}" if BETTER in prompt else "Answer: none"
    return {"Hello how are you?": "I am well.", "What is in this image?": "A dot."}.get(asked.last, "it is wrong")


def mended(prompt: str) -> str:
    if "You count." in prompt:
        return "You guess, whatever the question is."
    new = {"You will answer": BETTER, "2x + 6": "2x + 6 = 10, so x = 2.", "sntence": "A sentence without a typo"}
    return next((text for old, text in new.items() if old in prompt), None) or (
        "def double(x):\n    return 2 * x" if "def double" in prompt else "A red dot."
    )


@pytest.fixture
def counting(tmp_path: Path) -> None:
    """BIG-Bench Hard's file where TextGrad keeps it, and TextGrad's own splits of it."""
    rows = [(f"I have {n} apples. How many apples do I have?", str(n)) for n in range(1, 161)]
    root = tmp_path / "cache/textgrad"
    (root / "object_counting").mkdir(parents=True)
    examples = [{"input": question, "target": answer} for question, answer in rows]
    (root / "object_counting.json").write_text(json.dumps({"examples": examples}))
    for name, part in {"train": rows[:50], "val": rows[50:150], "test": rows[150:]}.items():
        lines = (f"{number},{question},{answer}\n" for number, (question, answer) in enumerate(part))
        (root / "object_counting" / f"{name}.csv").write_text(f",x,y\n{''.join(lines)}")


@pytest.mark.usefixtures("counting")
@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("name", OUTPUT)
def test_a_tutorial(
    name: str,
    implementation: str,
    scripted: Scripted,
    environment: Mapping[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    scripted.script = model
    program = PROGRAMS / f"{name}.py"
    if implementation == "refiner":
        for variable, value in environment.items():
            monkeypatch.setenv(variable, value)
        copy_context().run(partial(runpy.run_path, str(program)))
        out = capsys.readouterr().out
    else:
        changed = tmp_path / "program.py"
        changed.write_text(program.read_text().replace("refiner.compat.textgrad", "textgrad"))
        call = [str(textgrad()), str(changed)]
        out = subprocess.run(
            call, env={**os.environ, **environment}, cwd=tmp_path, stdout=-1, check=True, text=True
        ).stdout
    assert out.splitlines() == OUTPUT[name]
