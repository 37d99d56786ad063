"""What models, users and servers wrote is shown as it is: no markup and no escape in it is obeyed, on any screen."""

from dataclasses import replace

import pytest
from textual.pilot import Pilot

from refiner.domain.calls import Usage
from refiner.domain.code import Case, Execution, Outcome
from refiner.domain.events import CallFailed, Evaluation, Executed, Gradient, Note
from refiner.domain.run import Stop, StopReason, Verdict
from refiner.domain.service import Recurring, ServiceState
from refiner.domain.task import Kind
from refiner.tui.screens.compare import CompareScreen
from refiner.tui.screens.run import TABS
from refiner.tui.screens.service import ServiceScreen
from refiner.tui.widgets.bar import Bar
from tests.tui.snapshots import opened, playing, settled
from tests.tui.told import BEGAN, Story, at_work, plan, rows, voting
from tests.tui.told_source import told

pytestmark = pytest.mark.anyio

HOSTILE = "[b]m[/b]\x1b[31m\x1b]0;t\x07\x9b2J\u202e[/][@click=app.quit]x[/]$text-error"
SHOWN = "[b]m[/b]"
HARM = {"\x1b", "\x07", "\x9b", "\u202e"}
WIDE = (160, 40)


def hostile() -> Story:
    story = Story().begin(plan(HOSTILE, Kind.CODE))
    cases = (Case(HOSTILE, Outcome.FAILED, 1, HOSTILE, HOSTILE, HOSTILE, HOSTILE),)
    for index in (0, 1):
        story.call(f"0/{index}/answer/0", HOSTILE).candidate(0, index, f"{HOSTILE}{index}\n")
        story.tell(Executed(0, index, Execution(Outcome.FAILED, cases, detail=HOSTILE, seconds=0.1)))
        story.decide(0, index, HOSTILE)
        story.tell(Evaluation(0, index, Verdict.FLAWED, HOSTILE, iteration=index + 1))
        story.tell(Gradient(0, index, HOSTILE, iteration=index + 1), Note(HOSTILE))
    story.ask("0/2/critic/0").tell(CallFailed("0/2/critic/0", 0, HOSTILE, Usage()))
    return story.finish(0, 1, Stop(StopReason.ERROR, HOSTILE), status="failed", code=5)


async def harmless(pilot: Pilot[None]) -> str:
    """What is on the screen, which nobody has taken over."""
    await settled(pilot)
    text = "\n".join(strip.text for strip in pilot.app.screen._compositor.render_strips())
    assert not HARM & set(text)
    assert SHOWN in text
    return text


async def test_every_tab_of_a_run() -> None:
    events = hostile().events
    source = told((), events)
    async with playing(source, WIDE) as pilot:
        screen = await opened(pilot, source, events)
        for number in range(1, len(TABS) + 1):
            await pilot.press(str(number))
            assert (await harmless(pilot)).count(SHOWN) > 2  # the top line has it twice
        screen.query_one(Bar).say(3, HOSTILE)  # what a provider said comes as a notification
        await harmless(pilot)


async def test_votes() -> None:
    events = voting([HOSTILE, HOSTILE, "5"]).events
    source = told((), events)
    async with playing(source, WIDE) as pilot:
        await opened(pilot, source, events, "r-v0te")
        await harmless(pilot)


async def test_runs_compared_and_in_the_palette() -> None:
    some = [replace(row, title=HOSTILE, strategy=HOSTILE, stop=HOSTILE, model=HOSTILE) for row in rows(3)]
    source = told(some, hostile().events, hostile().events)
    async with playing(source, WIDE) as pilot:
        await harmless(pilot)
        await pilot.press("colon", *"r-0")
        await harmless(pilot)
        await pilot.press("escape", "space", "space", "c")
        await settled(pilot, lambda: isinstance(pilot.app.screen, CompareScreen))
        await settled(pilot, lambda: all(model.last for model in pilot.app.screen.models))  # type: ignore[attr-defined]
        await harmless(pilot)


async def test_the_service() -> None:
    source, busy = told(rows(1)), at_work()
    schedule = Recurring(HOSTILE, HOSTILE, HOSTILE, None, BEGAN)
    models = tuple(replace(each, model=f"{HOSTILE}{each.calls}") for each in busy.providers)
    queue = tuple(replace(each, id=f"r-{at}", title=HOSTILE, submitter=HOSTILE) for at, each in enumerate(busy.queue))
    source.state = ServiceState(1, 2, 3, queue, models, (schedule,), (HOSTILE, *busy.log))
    async with playing(source, WIDE) as pilot:
        await pilot.press("f3")
        await settled(pilot, lambda: isinstance(pilot.app.screen, ServiceScreen))
        await settled(pilot, lambda: "busy" in pilot.app.screen.query_one(Bar).told)
        assert (await harmless(pilot)).count(SHOWN) >= 7
