"""The screens of evals: what they look like, and what their keys do."""

from dataclasses import replace
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input

from refiner.domain.calls import Usage
from refiner.domain.evals import Answered, Results, Sitting
from refiner.tui.screens.eval import EvalScreen
from refiner.tui.screens.eval_pair import EvalPairScreen
from refiner.tui.screens.evals import EvalsScreen
from refiner.tui.source import Source
from refiner.tui.widgets.table import Table
from tests.evals.evals import OPTIONS, results
from tests.tui.snapshots import Pictures, playing, settled
from tests.tui.test_hostile import HOSTILE, WIDE, harmless
from tests.tui.told_source import Told, told

pytestmark = pytest.mark.anyio

LETTERS = {
    "kept": ("AA", "AAA"),
    "mended": ("BA", "BBA"),
    "spoiled": ("AB", "AA"),
    "mumbled": ("--", "-B"),
    "failed": ("", "B"),
    **{f"same-{number}": ("BA" if number % 3 else "B", "BB") for number in range(8)},
}
SPENT = Usage(61, 9_000, 400, 1_700, cost_usd=0.0321)


def finished() -> Results:
    return results(LETTERS, "e-d0ne", usage=SPENT)


def other() -> Results:
    letters = {name: ("A" if name != "kept" else "B", "B") for name in LETTERS if name != "mumbled"}
    return results(letters, "e-next", usage=SPENT, options={**OPTIONS, "strategy": "vote", "vote": "finals"})


def live() -> Results:
    found = results(LETTERS, "e-l1ve", status="running", over=21, usage=SPENT)
    *done, half, begun, waiting = found.answered
    half, begun = replace(half, samples=Sitting("r-half")), Answered(begun.item, 0, Sitting("r-begun"))
    return Results(found.eval, (*done, half, begun, Answered(waiting.item)))


def ended() -> Results:
    options = {**OPTIONS, "control": False}
    why = "20 of at most 20 calls are used"
    found = results({"a": ("A", ""), "b": ("B", "")}, "e-0ver", status="budget", why=why, over=1, options=options)
    return replace(found, answered=(replace(found.answered[0], samples=None), Answered(found.answered[1].item)))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """One look."""
    for name in ("EVERY", "LATEST"):
        monkeypatch.setattr(f"refiner.tui.link.{name}", 3600.0)


async def listing(pilot: Pilot[None]) -> EvalsScreen:
    await pilot.press("f4")
    await settled(pilot, lambda: isinstance(pilot.app.screen, EvalsScreen) and pilot.app.screen.evals is not None)
    screen = pilot.app.screen
    assert isinstance(screen, EvalsScreen)
    return screen


async def of_one(pilot: Pilot[None], source: Told, name: str) -> EvalScreen:
    screen = EvalScreen(source, name)
    await pilot.app.push_screen(screen)
    await settled(pilot, lambda: screen.state is not None)
    return screen


def names(table: Table[Any]) -> list[str]:
    return [table._name_of(row) for row in table.rows]


@pytest.mark.parametrize("found", [(), (ended(), live(), finished())], ids=["empty", "some"])
async def test_list(found: tuple[Results, ...], pictures: Pictures) -> None:
    source = told()
    source.results = list(found)
    async with playing(source) as pilot:
        await listing(pilot)
        await pictures.of(pilot)


@pytest.mark.parametrize("found", [live(), finished(), ended()], ids=lambda found: found.eval.status)
async def test_one(found: Results, pictures: Pictures) -> None:
    source = told()
    source.results = [found]
    async with playing(source) as pilot:
        await of_one(pilot, source, found.eval.id)
        await pictures.of(pilot)


async def test_pair(pictures: Pictures) -> None:
    source = told()
    source.results = [finished(), other()]
    async with playing(source) as pilot:
        screen = EvalPairScreen(source, ("e-d0ne", "e-next"))
        await pilot.app.push_screen(screen)
        await settled(pilot, lambda: screen.pair is not None)
        await pictures.of(pilot)


class Opened(Screen[None]):
    """Stands in for a run's screen, which takes a while to draw."""

    def __init__(self, _source: Source, run: str) -> None:
        super().__init__()
        self.run = run


@pytest.fixture
def light(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("eval", "eval_pair"):
        monkeypatch.setattr(f"refiner.tui.screens.{name}.RunScreen", Opened)


async def opens(pilot: Pilot[None], key: str) -> str:
    """The run that a key opens; it is left again."""
    await pilot.press(key)
    await settled(pilot, lambda: isinstance(pilot.app.screen, Opened))
    assert isinstance(pilot.app.screen, Opened)
    run = pilot.app.screen.run
    pilot.app.pop_screen()
    await settled(pilot)
    return run


def said(pilot: Pilot[None]) -> list[str]:
    return [note.message for note in pilot.app._notifications]


@pytest.mark.usefixtures("light")
async def test_two_are_marked_and_compared_and_their_runs_opened() -> None:
    source, second = told(), other()
    kept = second.answered[0]
    assert kept.refined
    kept = replace(kept, refined=replace(kept.refined, run="r-second"))
    source.results = [live(), finished(), replace(second, answered=(kept, *second.answered[1:]))]
    async with playing(source) as pilot:
        screen = await listing(pilot)
        assert names(screen.listing.table) == ["e-l1ve", "e-d0ne", "e-next"]
        await pilot.press("c")
        assert said(pilot) == ["mark two evals, each with the space bar: 0 are marked"]
        await pilot.press("down", "space", "space", "c")
        await settled(pilot, lambda: isinstance(pilot.app.screen, EvalPairScreen) and pilot.app.screen.pair is not None)
        pair = pilot.app.screen
        assert isinstance(pair, EvalPairScreen)
        assert names(pair.listing.table)[:2] == ["kept", "spoiled"]  # worse comes first, then better
        assert [await opens(pilot, key) for key in ("1", "2", "enter")] == ["r-kept", "r-second", "r-second"]
        await pilot.press("S")
        assert (pair.listing.order, names(pair.listing.table)[:2]) == ("set", ["kept", "mended"])
        await pilot.press("escape", "escape")
        assert (pilot.app.screen, screen.listing.table.marked) == (screen, frozenset())


@pytest.mark.usefixtures("light")
async def test_one_is_found_by_its_id_its_items_filtered_and_ordered_and_their_runs_opened() -> None:
    source, found = told(), finished()
    kept = found.answered[0]
    assert kept.samples
    kept = replace(kept, samples=replace(kept.samples, run="r-samples"))
    source.results = [replace(found, answered=(kept, *found.answered[1:]))]
    async with playing(source, run="e-d") as pilot:
        await settled(pilot, lambda: isinstance(pilot.app.screen, EvalScreen) and pilot.app.screen.state is not None)
        screen = pilot.app.screen
        assert isinstance(screen, EvalScreen)
        table = screen.listing.table
        assert [await opens(pilot, key) for key in ("v", "enter")] == ["r-samples", "r-kept"]
        await pilot.press("slash", *"t:right d:wrong", "enter")
        assert (names(table), table.has_focus) == (["spoiled"], True)
        await pilot.press("v")
        assert said(pilot) == ["spoiled has no samples yet"]
        await pilot.press("slash", "escape")
        assert (len(table.rows), screen.query_one(Input).has_class("-shown"), table.has_focus) == (13, False, True)
        await pilot.press("S")
        assert (screen.listing.order, names(table)[:2]) == ("change", ["spoiled", "mended"])
        await pilot.click(table, offset=(19, 0))
        assert (screen.listing.order, names(table)[:2]) == ("refined", ["failed", "mumbled"])
        await pilot.press("escape")
        await settled(pilot, lambda: isinstance(pilot.app.screen, EvalsScreen))


async def test_what_goes_on_is_followed_until_it_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("EVERY", "LATEST"):
        monkeypatch.setattr(f"refiner.tui.link.{name}", 0.1)
    source = told()
    async with playing(source) as pilot:
        evals = await listing(pilot)
        assert evals.has_class("-empty")
        source.results = [live()]
        await settled(pilot, lambda: not evals.has_class("-empty"))
        await pilot.press("enter")
        await settled(pilot, lambda: isinstance(pilot.app.screen, EvalScreen) and pilot.app.screen.state is not None)
        screen = pilot.app.screen
        assert isinstance(screen, EvalScreen)
        assert [row.outcomes["refined"] for row in screen.listing.rows[-3:]] == ["right", "running", "pending"]
        source.results = [replace(finished(), eval=replace(finished().eval, id="e-l1ve"))]
        await settled(pilot, lambda: screen.listing.rows[-1].outcomes["refined"] == "right")
        source.results = []
        await settled(pilot, lambda: bool(said(pilot)))
        assert said(pilot) == ["no eval is called 'e-l1ve'"]


async def test_what_others_wrote_is_shown_as_it_is() -> None:
    found = results({HOSTILE: ("A", "B"), "b": ("", "B")}, "e-1", status="failed", why=HOSTILE)
    refined = found.answered[1].refined
    assert refined
    answered = (found.answered[0], replace(found.answered[1], refined=replace(refined, failure=HOSTILE)))
    row = replace(found.eval, datasets=(HOSTILE,), options={**OPTIONS, "model": HOSTILE, "strategy": HOSTILE})
    source = told()
    source.results = [replace(found, eval=replace(row, id=name), answered=answered) for name in ("e-1", "e-2")]
    async with playing(source, WIDE) as pilot:
        screen = await listing(pilot)
        screen.listing.words = HOSTILE
        await harmless(pilot)
        await pilot.press("colon", *"e-1")
        await harmless(pilot)
        await pilot.press("enter")
        await settled(pilot, lambda: isinstance(pilot.app.screen, EvalScreen) and pilot.app.screen.state is not None)
        await harmless(pilot)
        pair = EvalPairScreen(source, ("e-1", "e-2"))
        await pilot.app.push_screen(pair)
        await settled(pilot, lambda: pair.pair is not None)
        await harmless(pilot)
