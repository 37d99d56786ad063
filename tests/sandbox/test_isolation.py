"""Hostile programs are held, in both layers, as the user who runs the tests and, for root, as an ordinary one."""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from refiner.sandbox.breakouts import breakouts
from refiner.sandbox.choose import Layer
from refiner.sandbox.identity import NOBODY
from refiner.sandbox.interpreter import open_to_all
from tests.sandbox.trial import LAYERS, PROGRAMS, sandboxed, trial, trials

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parents[2]
ORDINARY = 54321


@pytest.mark.parametrize("layer", LAYERS)
async def test_hostile_programs_are_held(layer: Layer) -> None:
    found = await trials(layer)

    assert set(found) == set(PROGRAMS)
    assert {program: findings for program, findings in found.items() if findings} == {}


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user runs these already")
@pytest.mark.parametrize("layer", LAYERS)
def test_hostile_programs_are_held_as_an_ordinary_user(layer: Layer, tmp_path: Path) -> None:
    python, packages = ordinary_python()
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, ORDINARY, ORDINARY)

    done = subprocess.run(
        [python, "-m", "tests.sandbox.trial", layer],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "PYTHONPATH": f"{ROOT}:{packages}", "LC_ALL": "C.UTF-8"},
        user=ORDINARY,
        group=ORDINARY,
        extra_groups=[],
        capture_output=True,
        text=True,
        timeout=300,
    )

    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout)
    assert told["uid"] == ORDINARY
    assert set(told["findings"]) == set(PROGRAMS)
    assert {program: findings for program, findings in told["findings"].items() if findings} == {}


@pytest.mark.parametrize("layer", LAYERS)
async def test_no_attempt_to_break_out_succeeds(layer: Layer) -> None:
    async with sandboxed(layer) as sandbox:
        assert sandbox.layer == layer
        assert [name for name, held in await breakouts(sandbox) if not held] == []


@pytest.mark.parametrize("program", ["network", "keys"])
async def test_a_trial_sees_what_gets_out(program: str) -> None:
    """Without isolation these two get something and harm nobody: a trial that said nothing would prove nothing."""
    async with sandboxed("off") as sandbox:
        assert await trial(sandbox, program)


async def test_without_isolation_nothing_is_called_held() -> None:
    async with sandboxed("off") as sandbox:
        assert not any(held for _, held in await breakouts(sandbox))


@cache
def ordinary_python() -> tuple[str, str]:
    """An interpreter that every user can run, and the packages for it."""
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    wanted = f"import sys; sys.path.insert(0, {packages!r}); import anyio; assert sys.version_info >= (3, 11)"
    if not all(map(open_to_all, (str(ROOT), packages))):
        pytest.skip("an ordinary user cannot read this checkout")
    for python in (os.path.realpath(sys.executable), "/usr/bin/python3"):
        try:
            subprocess.run([python, "-c", wanted], user=NOBODY, group=NOBODY, extra_groups=[], check=True, cwd="/")
        except (OSError, subprocess.SubprocessError):
            continue
        return python, packages
    pytest.skip("there is no Python 3.11 that an ordinary user can run")
