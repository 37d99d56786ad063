"""The snippets of docs/modules.md run as they stand, one after the other; test_dspy.py has the last one."""

import ast
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from refiner.domain.calls import Role
from tests.engines import ScriptedEngine

pytestmark = pytest.mark.anyio
PAGE = Path(__file__).parents[2] / "docs" / "modules.md"
BLOCKS: list[str] = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


def answering(text: str, role: Role) -> str:
    return "<improved>Say billing.</improved>" if role is Role.UPDATER else "billing" if "Say" in text else "shipping"


async def test_the_snippets_follow_one_another(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"engine": ScriptedEngine(answering)}
    for block in BLOCKS[:2]:
        done = eval(compile(block, str(PAGE), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
        if inspect.isawaitable(done):
            await done
    assert names["reply"].value == "shipping"
    assert names["found"].after >= names["found"].before
    assert names["support"].sort.instruction.value == "Say billing."
    old = names["support"].state()
    names["support"].load("support.json")
    assert names["support"].state() == old
