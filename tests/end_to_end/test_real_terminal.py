"""The terminal UI as its user has it: a terminal, the service and the embedded model."""

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from refiner.config.paths import Paths
from refiner.providers.local.weights import installed
from tests.end_to_end.program import Program
from tests.end_to_end.tmux import Terminal, terminal

pytestmark = [
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed"),
    pytest.mark.skipif(not installed(Paths.find().models), reason="the embedded model is not installed"),
]

ASKED = ("Describe the sea.", "-s", "refine", "-n", "2", "--patience", "2", "--max-output-tokens", "24")


@pytest.fixture
def local(refiner: Program) -> Program:
    """The program on the embedded model, which goes a second after its last user."""
    return refiner.under(REFINER_MODEL="local", REFINER_LOCAL__KEEP_ALIVE="1s", HOME=str(Path.home()))


@pytest.fixture
def start(local: Program, tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    with ExitStack() as stack:

        def begin(*words: str) -> Terminal:
            command = (sys.executable, "-m", "refiner", *words)
            return stack.enter_context(terminal(tmp_path / words[0], local.environ, *command))

        yield begin


def test_a_run_is_watched_and_paused_and_goes_on_without_its_watcher(
    local: Program, start: Callable[..., Terminal]
) -> None:
    service = start("serve")
    service.shows("service started")
    run = local("solve", *ASKED, "--detach").out.strip()
    screen = start("tui", run)
    screen.shows(rf"Run {run} · drafting")
    screen.shows(r"✓ 0/0 .* it was cut off")
    screen.shows(r"critique|gradient|update")
    assert local("run", "pause", run).code == 0
    screen.shows(rf"Run {run} · paused")
    assert local("run", "resume", run).code == 0
    screen.shows(rf"Run {run} · (critique|gradient|update|working)")
    screen.press("q")
    assert screen.ended() == 0
    assert "0/2" in local("run", "watch", run).out
    service.press("C-c")
    assert service.ended() == 0
