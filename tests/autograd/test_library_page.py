"""The snippets of docs/library.md run as they stand, one after the other."""

import ast
import inspect
import re
from pathlib import Path
from typing import Any

import anyio
import pytest

import refiner
from refiner.domain.calls import Role
from tests.engines import ScriptedEngine
from tests.scripted import Scripted

PAGE = Path(__file__).parents[2] / "docs" / "library.md"
BLOCKS: list[str] = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


def test_the_first_snippet_is_a_whole_program(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REFINER_HOME", str(tmp_path))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0")
    monkeypatch.setenv("OPENAI_BASE_URL", scripted.openai)
    scripted.script = lambda asked: "<improved>Walk on air.</improved>" if "<improved>" in asked.last else "too long"
    exec(compile(BLOCKS[0], str(PAGE), "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out.startswith("Walk on air.")
    assert len(scripted.asked) == 3


def test_the_others_follow_one_another(capsys: pytest.CaptureFixture[str]) -> None:
    kinder = iter(range(9))
    engine = ScriptedEngine(
        lambda _text, role: (
            f"You answer in one sentence. {next(kinder)}" if role is Role.UPDATER else f"{role}: 0 2 4 6 is too long"
        )
    )
    names: dict[str, Any] = {"refiner": refiner, "engine": engine}

    async def run() -> None:
        for block in BLOCKS[1:]:
            done = eval(compile(block, str(PAGE), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
            if inspect.isawaitable(done):
                await done

    anyio.run(run)
    assert names["system"].value == "You answer in one sentence. 2"
    assert names["count"].value == "8"
    assert [update.problem for step in names["found"].updates for update in step] == [None, None]
    assert capsys.readouterr().out.startswith("[(None, '')]")
    assert all(name in PAGE.read_text("utf-8") for name in set(refiner.__all__) - {"Result", "RefinerError"})
