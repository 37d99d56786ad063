"""The program as a user starts it, in a home of its own."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Protocol

import pytest

PROGRAM = [sys.executable, "-c", "import sys; from refiner.cli.main import main; sys.exit(main())"]


class Refiner(Protocol):
    """Runs the real program: what it printed, and its exit code."""

    def __call__(self, *words: str, stdout: int | None = subprocess.PIPE) -> subprocess.CompletedProcess[str]: ...


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that REFINER_HOME names; the working directory is beside it, and no key is set."""
    for name in os.environ:
        if name.startswith("REFINER_") or name.endswith("_API_KEY"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("REFINER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "home"


@pytest.fixture
def refiner(home: Path) -> Refiner:  # noqa: ARG001 - the program sees the environment that it sets
    def run(*words: str, stdout: int | None = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*PROGRAM, *words], stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=60, check=False
        )

    return run
