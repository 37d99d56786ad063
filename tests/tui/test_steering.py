"""What the keys that steer do, on a terminal that is none."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Input, Select, Static, TextArea

from refiner.domain.events import Evaluation, Steered
from refiner.domain.run import Limits, Rewrite, Verdict, Word
from refiner.tui.screens.ask import AskScreen
from refiner.tui.screens.edit import EditScreen
from refiner.tui.screens.fields import FieldsScreen
from refiner.tui.screens.new import NewScreen
from refiner.tui.screens.run import RunScreen
from refiner.tui.screens.runs import RunsScreen
from tests.tui.snapshots import opened, playing, settled
from tests.tui.told import Story, mended, plan, rows
from tests.tui.told_source import Told, told

pytestmark = pytest.mark.anyio

RUN = "r-7f3k"
CRITIQUE = "The sea is [wet].\nVerdict: flawed"


def criticised(*, held: bool = True) -> Story:
    """A run that waits with its critique, held or in a pause."""
    story = Story().begin(plan("Write about the sea."))
    story.call("0/0/answer/0", "The sea is dry.").candidate(0, 0, "The sea is dry.").decide(0, 0, "it is the first")
    word = Word(1, "hold", "ada", Limits(seconds=60)) if held else Word(1, "pause", "ada")
    story.tell(Steered(word)).call("0/0/critic/loss", CRITIQUE)
    return story.tell(Evaluation(0, 0, Verdict.FLAWED, CRITIQUE, iteration=0))


def steered(source: Told) -> list[tuple[object, ...]]:
    return [each for each in source.asked if each[0] != "follow"]


async def pressed(pilot: Pilot[None], key: str, screen: type[object]) -> None:
    """Press a key that leads to another screen."""
    await pilot.press(key)
    await settled(pilot, lambda: isinstance(pilot.app.screen, screen))


async def listing(pilot: Pilot[None], count: int) -> RunsScreen:
    screen = pilot.app.screen
    assert isinstance(screen, RunsScreen)
    await settled(pilot, lambda: len(screen.runs) == count)
    return screen


async def test_what_ends_or_spends_asks_first() -> None:
    source = told((), mended().events)
    async with playing(source) as pilot:
        await opened(pilot, source, mended().events)
        for answer in ("n", "escape", "enter"):  # "no" has the focus
            await pressed(pilot, "s", AskScreen)
            await pressed(pilot, answer, RunScreen)
        assert steered(source) == []
        for key, word in (("s", "stop"), ("x", "cancel"), ("r", "resume")):
            await pressed(pilot, key, AskScreen)
            await pressed(pilot, "y", RunScreen)
            await settled(pilot, lambda word=word: steered(source)[-1:] == [(word, RUN)])  # type: ignore[misc]


async def test_marked_runs_are_steered_and_deleted_together() -> None:
    source = told(rows(8))
    async with playing(source) as pilot:
        screen = await listing(pilot, 8)
        await pilot.press("space", "space")
        first, second = sorted(screen.chosen)
        await pilot.press("p")
        await settled(pilot, lambda: {("pause", first), ("pause", second)} == set(steered(source)))
        await pressed(pilot, "D", AskScreen)
        await pressed(pilot, "n", RunsScreen)
        assert len(steered(source)) == 2
        await pressed(pilot, "delete", AskScreen)
        await pressed(pilot, "y", RunsScreen)
        await settled(pilot, lambda: len(screen.runs) == 6)
        assert set(steered(source)[2:]) == {("remove", first), ("remove", second)}
        await pressed(pilot, "b", FieldsScreen)
        await pilot.press(*"30", "enter")
        await settled(pilot, lambda: steered(source)[-1][0] == "budget")


async def test_a_budget_is_checked_beside_its_field() -> None:
    source = told((), mended().events)
    async with playing(source) as pilot:
        await opened(pilot, source, mended().events)
        await pressed(pilot, "b", FieldsScreen)
        calls = pilot.app.screen.query_one("#calls", Input)
        assert calls.value == "10"
        calls.value = "many"
        pilot.app.screen.query_one("#time", Input).value = "10m"
        await pilot.press("ctrl+s")
        await settled(pilot, lambda: pilot.app.screen.query_one("#calls-wrong", Static).has_class("-shown"))
        calls.value = "20"
        await pressed(pilot, "enter", RunScreen)
        await settled(pilot, lambda: bool(steered(source)))
        assert steered(source) == [("budget", RUN, Limits(20, 1_600, 0.0062, 600.0))]


async def test_the_next_critique_is_held_and_edited() -> None:
    events = criticised().events
    source = told((), events[:6])
    async with playing(source) as pilot:
        screen = await opened(pilot, source, events[:6])
        await pilot.press("e")
        await settled(pilot, lambda: steered(source) == [("hold", RUN)])
        source.tell(*events[6:])
        await settled(pilot, lambda: isinstance(pilot.app.screen, EditScreen))
        assert screen.model.phase == "held"
        area = pilot.app.screen.query_one(TextArea)
        assert area.text == CRITIQUE
        area.text = "Say WHY."
        await pressed(pilot, "ctrl+s", RunScreen)
        await settled(pilot, lambda: steered(source)[-1] == ("edit", RUN, Rewrite(0, 0, "Say WHY.")))


async def test_a_critique_that_waits_is_vetoed_or_let_go_and_a_pause_asks_nothing() -> None:
    for held in (True, False):
        source = told((), criticised(held=held).events)
        async with playing(source) as pilot:
            await opened(pilot, source, criticised(held=held).events)
            await pressed(pilot, "e", EditScreen)
            await pressed(pilot, "escape", RunScreen)
            await settled(pilot, lambda held=held, source=source: len(steered(source)) == held)  # type: ignore[misc]
            await pressed(pilot, "e", EditScreen)
            await pressed(pilot, "ctrl+t", RunScreen)
            await settled(pilot, lambda source=source: steered(source)[-1] == ("edit", RUN, Rewrite(0, 0, "")))  # type: ignore[misc]
            await pilot.press("p")
            if not held:
                await pilot.press("r")
                await settled(pilot, lambda source=source: steered(source)[-2:] == [("pause", RUN), ("resume", RUN)])  # type: ignore[misc]


async def test_where_no_critique_is_used_none_is_edited() -> None:
    source = told((), mended().events)
    async with playing(source) as pilot:
        await opened(pilot, source, mended().events)
        await pilot.press("e")
        await settled(pilot, lambda: len(pilot.app._notifications) == 1)
        assert "goes by no critique" in next(iter(pilot.app._notifications)).message
        assert steered(source) == []


async def test_a_fork_begins_at_the_row_with_another_text() -> None:
    source = told((), criticised().events)
    async with playing(source) as pilot:
        await opened(pilot, source, criticised().events)
        await pressed(pilot, "f", EditScreen)
        edit = pilot.app.screen
        edit.query_one(Select).value = "critique"
        await settled(pilot, lambda: edit.query_one(TextArea).text == CRITIQUE)
        edit.query_one(TextArea).text = "Say WHY."
        await pilot.press("ctrl+s")
        await settled(pilot, lambda: isinstance(pilot.app.screen, RunScreen) and pilot.app.screen.run == "r-f0rk")
        assert steered(source) == [("fork", RUN, 0, 0, {"critique": "Say WHY."})]


async def test_the_text_of_the_open_tab_is_copied() -> None:
    events = criticised().events
    source = told((), events)
    async with playing(source) as pilot:
        await opened(pilot, source, events)
        await pilot.press("y")
        assert pilot.app.clipboard == "The sea is dry."
        await pilot.press("2")
        await settled(pilot)
        await pilot.press("y")
        assert pilot.app.clipboard == CRITIQUE


async def test_what_a_tab_shows_is_what_is_copied() -> None:
    source = told((), mended().events)
    async with playing(source) as pilot:
        await opened(pilot, source, mended().events)
        shown = {
            "1": "+    return sum(xs)",
            "4": "tests: 2 of 2 passed",
            "6": "── reply",
            "7": "gradient  Take the sum.",
        }
        for tab, text in shown.items():
            await pilot.press(tab)
            await settled(pilot)
            await pilot.press("y")
            assert text in pilot.app.clipboard


@pytest.fixture
def editor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[], str]:
    """What an editor was shown, that keeps it and tries to write something else; its terminal is none."""
    script = tmp_path / "editor"
    script.write_text(f'#!/bin/sh\ncp "$2" {tmp_path}/seen\n[ "$1" = -x ] && printf "by %s" "$1" > "$2"\nexit 0\n')
    script.chmod(0o700)
    monkeypatch.setenv("VISUAL", f"{script} -x")
    monkeypatch.setattr(App, "suspend", lambda _app: nullcontext())
    return (tmp_path / "seen").read_text


async def test_the_editor_shows_an_answer_and_edits_a_critique(editor: Callable[[], str]) -> None:
    source = told((), criticised().events)
    async with playing(source) as pilot:
        await opened(pilot, source, criticised().events)
        await pilot.press("o")
        assert editor() == "The sea is dry."
        await pressed(pilot, "e", EditScreen)
        await pilot.press("ctrl+o")
        assert editor() == CRITIQUE
        assert pilot.app.screen.query_one(TextArea).text == "by -x"


async def test_no_terminal_no_editor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", "true")
    source = told((), criticised().events)
    async with playing(source) as pilot:
        await opened(pilot, source, criticised().events)
        await pilot.press("o")
        assert "no terminal" in next(iter(pilot.app._notifications)).message


async def test_the_answer_is_written_and_nothing_is_overwritten_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source, file = told((), mended().events), tmp_path / "answer.py"
    async with playing(source) as pilot:
        await opened(pilot, source, mended().events)
        await pressed(pilot, "w", FieldsScreen)
        path = pilot.app.screen.query_one("#path", Input)
        assert path.value == "answer.py"
        path.value = "no/where.py"
        await pilot.press("enter")
        await settled(pilot, lambda: pilot.app.screen.query_one("#path-wrong", Static).has_class("-shown"))
        path.value = "answer.py"
        await pressed(pilot, "enter", RunScreen)
        await settled(pilot, file.exists)
        assert "return sum(xs)" in file.read_text()
        file.write_text("mine")
        await pressed(pilot, "w", FieldsScreen)
        await pressed(pilot, "enter", AskScreen)
        await pressed(pilot, "n", RunScreen)
        assert file.read_text() == "mine"


async def test_a_new_run_says_what_it_costs_and_asks_above_the_bound(tmp_path: Path) -> None:
    (tmp_path / "totals.py").write_text("pass")
    source = told(rows(1))
    async with playing(source) as pilot:
        await listing(pilot, 1)
        await pressed(pilot, "n", NewScreen)
        form = pilot.app.screen
        await pilot.press("ctrl+s")
        await settled(pilot, lambda: form.query_one("#task-wrong", Static).has_class("-shown"))
        await pilot.press(*"Why?")
        await settled(pilot, lambda: "most         4 calls" in str(form.query_one("#plan", Static).content))
        file = form.query_one("#file", Input)
        file.focus()
        file.value = f"{tmp_path}/to"
        await settled(pilot, lambda: file._suggestion.endswith("totals.py"))
        await pilot.press("end", "right")
        await pressed(pilot, "ctrl+s", AskScreen)
        await pressed(pilot, "n", NewScreen)
        assert steered(source) == []
        await pressed(pilot, "ctrl+s", AskScreen)
        await pilot.press("y")
        await settled(pilot, lambda: isinstance(pilot.app.screen, RunScreen) and pilot.app.screen.run == "r-new1")
        [(_, body)] = source.asked[:1]
        assert (body["task"], body["file"], body["strategy"]) == ("Why?", f"{tmp_path}/totals.py", "auto")
