"""A scripted provider behind every engine's name, and TextGrad itself where there is one."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.scripted import Scripted


def textgrad() -> str | None:
    """A Python that has TextGrad 0.1.8: the one that TEXTGRAD_PYTHON names."""
    return os.environ.get("TEXTGRAD_PYTHON")


IMPLEMENTATIONS = [
    "refiner",
    pytest.param("textgrad", marks=pytest.mark.skipif(textgrad() is None, reason="TEXTGRAD_PYTHON names no Python")),
]


@pytest.fixture
def environment(tmp_path: Path, scripted: Scripted) -> Mapping[str, str]:
    """What both implementations need to be: in a place of their own, and before the scripted provider."""
    return {
        "HOME": str(tmp_path),
        "OPENAI_API_KEY": "sk-test",
        "OPENAI_BASE_URL": scripted.openai,
        "PATH": str(Path(sys.executable).parent),
        "REFINER_HOME": str(tmp_path / "home"),
        "REFINER_PROVIDERS__OPENAI__BASE_URL": scripted.openai,
        "TEXTGRAD_LOG_DIR": str(tmp_path / "logs"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
