"""What every screen looks like, in every state."""

from collections.abc import Sequence

import pytest
from textual_diff_view import DiffView

from refiner.domain.events import Delta, Evaluation, Gradient, Heard
from refiner.domain.run import Stop, StopReason, Verdict
from refiner.domain.run_model import model_of
from refiner.domain.service import ServiceState
from refiner.tui.screens.compare import CompareScreen
from refiner.tui.screens.runs import RunsScreen
from refiner.tui.widgets.bar import Bar
from refiner.tui.widgets.graph import Graph
from tests.tui.snapshots import Pictures, opened, playing, settled
from tests.tui.told import Story, at_work, mended, mending, plan, rows, voting, writing
from tests.tui.told_source import told

pytestmark = pytest.mark.anyio


def failed() -> Sequence[Heard]:
    story = Story().begin(plan("Write [b]a few[/b] lines\x1b[31m about the sea."))
    story.call("0/0/answer/0", "The sea.").candidate(0, 0, "The sea.").decide(0, 0, "it is the first")
    return story.finish(0, 0, Stop(StopReason.ERROR, "the key was refused"), status="failed", code=5).events


def long() -> Sequence[Heard]:
    story = Story().begin(plan("Write a lot."))
    for index in range(500):
        story.candidate(0, index, f"Version {index}.").decide(0, index, "it differs", accepted=index % 3 == 0)
    return story.events


STATES: dict[str, tuple[Sequence[Heard], str]] = {
    "mended": (mended().events, "1467"),
    "critique": (writing("The sum of [red]an empty[/red] \x1b[31mlist is"), "2"),
    "gradient": ([*mending().events, Delta("r-7f3k", "0/3/gradient/0", "Take the sum of")], "3"),
    "failing": (mending().events[:19], "4"),
    "failed": (failed(), "5"),
    "voting": (voting().events, "5"),
    "long": (long(), "5"),
}


@pytest.mark.parametrize("state", STATES)
async def test_run(state: str, pictures: Pictures) -> None:
    events, keys = STATES[state]
    source = told((), events)
    async with playing(source) as pilot:
        screen = await opened(pilot, source, events)
        await pictures.of(pilot, keys, lambda: bool(screen.query(DiffView)) or keys[0] != "1")


async def test_a_critique_that_is_itself_the_gradient_is_shown_once() -> None:
    story = Story().begin(plan("Write a few lines.")).candidate(0, 0, "The sea.").decide(0, 0, "it is the first")
    story.tell(Evaluation(0, 0, Verdict.FLAWED, "Say more."))
    for gradient, names in (("Say more.", ["loss and gradient"]), ("Say why.", ["loss", "gradient"])):
        graph = Graph()
        graph.show(model_of([*story.events, *Story(first=9).tell(Gradient(0, 0, gradient)).events]))
        told = [str(leaf.label).partition("  ")[0] for leaf in graph.root.children[0].children]
        assert told == ["value", *names, "gate"]


async def test_a_run_whose_service_is_gone(pictures: Pictures) -> None:
    source = told((), mending().events)
    source.lose()
    async with playing(source) as pilot:
        screen = await opened(pilot, source, mending().events)
        await settled(pilot, lambda: screen.query_one(Bar).lost is not None)
        screen.workers.cancel_all()
        await settled(pilot)
        screen.query_one(Bar).lost = 7
        await pictures.of(pilot)


@pytest.mark.parametrize("count", [0, 40], ids=["empty", "some"])
async def test_runs(count: int, pictures: Pictures) -> None:
    async with playing(told(rows(count))) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, RunsScreen)
        await settled(pilot, lambda: len(screen.runs) == count)
        await pictures.of(pilot)


@pytest.mark.parametrize("state", [None, at_work()], ids=["none", "busy"])
async def test_service(state: ServiceState | None, pictures: Pictures, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("refiner.tui.screens.service.EVERY", 3600.0)  # one look, whatever the pace of the pictures
    source = told(rows(3))
    source.state = state
    async with playing(source) as pilot:
        await pilot.press("f3")
        await settled(pilot, lambda: bool(pilot.app.screen.query_one(Bar).told))
        await pictures.of(pilot)


async def test_compare(pictures: Pictures) -> None:
    source = told(rows(7), mending().events, mended().events)
    async with playing(source) as pilot:
        screen = CompareScreen(source, ("r-0001", "r-0003"))
        await pilot.app.push_screen(screen)
        await settled(pilot, lambda: all(model.last for model in screen.models))
        screen.models = (model_of(mending().events[:8]), model_of(mended().events))
        await pictures.of(pilot, ready=lambda: bool(screen.query(DiffView)))


async def test_help(pictures: Pictures) -> None:
    async with playing(told()) as pilot:
        await pilot.press("f1")
        await pictures.of(pilot)
