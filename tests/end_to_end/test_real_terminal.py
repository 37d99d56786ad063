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

ASKED = ("Describe the sea.", "-s", "refine", "-n", "2", "--patience", "2", "--max-output-tokens", "16")
WAITS = "the next critique waits"


@pytest.fixture
def local(refiner: Program) -> Program:
    """The program on the embedded model, which goes a second after its last user."""
    return refiner.under(
        REFINER_MODEL="local",
        REFINER_LOCAL__THREADS="1",
        REFINER_LOCAL__KEEP_ALIVE="1s",
        REFINER_TUI__HOLD="600",
        HOME=str(Path.home()),
    )


@pytest.fixture
def start(local: Program, tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    with ExitStack() as stack:

        def begin(*words: str) -> Terminal:
            command = (sys.executable, "-m", "refiner", *words)
            return stack.enter_context(terminal(tmp_path / words[0], local.environ, *command))

        yield begin


def test_a_run_is_watched_paused_edited_and_goes_on_without_its_watcher(
    local: Program, start: Callable[..., Terminal]
) -> None:
    service = start("serve")
    service.shows("service started")
    run = local("solve", *ASKED, "--detach").out.strip()
    screen = start("tui", run)
    screen.shows(rf"Run {run} · drafting")
    screen.press("p")
    screen.shows(rf"Run {run} · paused")
    screen.shows(r"✓ 0/0 .* it was cut off")
    screen.press("e")
    early = screen.shows(WAITS + "|The critique of 0/0") == WAITS  # it was paused before there was one
    if early:
        screen.press("r")
    screen.shows("The critique of 0/0")
    screen.press("Gulls cry. ")
    screen.shows("Gulls cry")
    screen.press("C-s")
    screen.shows("the critique is edited")
    if not early:
        screen.press("r")
    screen.shows(rf"Run {run} · (update|critique|working|done)")
    screen.press("q")
    assert screen.ended() == 0
    assert "0/2" in local("run", "watch", run).out
    events = local("run", "export", run).events
    asked = [event["word"]["control"] for event in events if event["type"] == "steered"]
    assert asked == (["pause", "hold", "resume", "edit"] if early else ["pause", "edit", "resume"])
    [update] = [each for each in events if each.get("key") == "0/0/updater/step.0" and "messages" in each]
    assert "Gulls cry" in str(update["messages"])
    assert events[-1]["type"] == "run-finished"
    service.press("C-c")
    assert service.ended() == 0
