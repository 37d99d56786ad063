"""Each defect that was seen in TextGrad 0.1.8 (docs/textgrad-defects.md): it has it, and refiner does not.

    TEXTGRAD_PYTHON=/path/to/python pytest tests/compat

also runs every program on TextGrad, where it has to fail; without that variable refiner alone is tested.
"""

import json
import os
import subprocess
from collections.abc import Mapping
from contextvars import copy_context
from pathlib import Path

import pytest

import refiner.compat.textgrad as tg
from tests.compat import defects
from tests.compat.conftest import textgrad

DOCUMENT = Path(__file__).parents[2] / "docs/textgrad-defects.md"


@pytest.mark.parametrize("name", defects.PROGRAMS)
def test_refiner_is_well(name: str, environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv("REFINER_RETRY__ATTEMPTS", "2")
    assert copy_context().run(defects.came_to, tg, defects.PROGRAMS[name]) == "well"


@pytest.mark.skipif(textgrad() is None, reason="TEXTGRAD_PYTHON names no Python")
def test_textgrad_has_every_defect(environment: Mapping[str, str], tmp_path: Path) -> None:
    call = [str(textgrad()), defects.__file__, "textgrad"]
    env = {**os.environ, **environment}
    seen = json.loads(subprocess.run(call, env=env, cwd=tmp_path, stdout=-1, check=True).stdout)
    assert list(seen) == list(defects.PROGRAMS)
    assert [name for name, came_to in seen.items() if came_to == "well"] == []


def test_the_table_has_every_defect() -> None:
    rows = [line.split("`")[1] for line in DOCUMENT.read_text().splitlines() if line.startswith("| `")]
    assert rows == list(defects.PROGRAMS)
