"""What the keys of the screens do, on a terminal that is none."""

from dataclasses import replace
from datetime import timedelta
from unittest.mock import patch

import pytest
from textual.command import CommandList
from textual.pilot import Pilot
from textual.theme import BUILTIN_THEMES
from textual.widgets import Input, TabbedContent

from refiner.domain.errors import UsageError
from refiner.domain.run_model import CRITIQUE, model_of
from refiner.domain.store import RunRow
from refiner.domain.task import Kind
from refiner.tui import figures
from refiner.tui.app import RefinerApp, bindings
from refiner.tui.screens.compare import CompareScreen
from refiner.tui.screens.help import HelpScreen
from refiner.tui.screens.run import TABS, RunScreen
from refiner.tui.screens.runs import RunsScreen
from refiner.tui.screens.service import ServiceScreen
from refiner.tui.widgets.bar import Bar
from refiner.tui.widgets.diff import Diff
from refiner.tui.widgets.table import Table
from refiner.tui.widgets.words import Words
from tests.tui.snapshots import opened, playing, settled
from tests.tui.told import Story, at_work, mended, mending, plan, rows, writing
from tests.tui.told_source import told

pytestmark = pytest.mark.anyio


async def listing(pilot: Pilot[None], count: int) -> tuple[RunsScreen, Table[RunRow]]:
    screen = pilot.app.screen
    assert isinstance(screen, RunsScreen)
    await settled(pilot, lambda: len(screen.runs) == count)
    table: Table[RunRow] = screen.query_one(Table)
    return screen, table


def test_every_key_can_be_another_one_and_says_what_it_does() -> None:
    told_of = list(bindings())
    assert all(binding.id and binding.tooltip and binding.description for binding in told_of)
    assert all(binding.id.isidentifier() for binding in told_of if binding.id)


async def test_runs_under_way_are_on_top_and_the_cursor_moves() -> None:
    async with playing(told(rows(40))) as pilot:
        _, table = await listing(pilot, 40)
        live = [row.status in ("running", "paused", "queued") for row in table.rows]
        assert live == sorted(live, reverse=True)
        await pilot.press("down", "j", "up")
        assert table.cursor == 1
        await pilot.press("end")
        assert table.cursor == 39
        assert table.scroll_y > 0
        await pilot.press("pageup", "k")
        assert 0 < table.cursor < 39
        await pilot.press("home")
        assert (table.cursor, table.scroll_y) == (0, 0)


async def test_filter_sort_and_marks() -> None:
    async with playing(told(rows(40))) as pilot:
        screen, table = await listing(pilot, 40)
        await pilot.press("slash", *"number 7")
        await settled(pilot, lambda: screen.listing.words == "number 7")
        assert {row.title.partition(":")[0] for row in table.rows} == {"Task number 7"} | {
            f"Task number {number}" for number in (17, 27, 37)
        }
        await pilot.press("enter")
        assert table.has_focus
        await pilot.press("space", "space")
        assert len(screen.chosen) == 2
        await pilot.press("escape")
        assert (len(table.rows), screen.query_one(Input).value, len(table.marked)) == (40, "", 0)
        assert len(screen.chosen) == 1
        await pilot.press("S")
        assert screen.listing.order == "state"
        await pilot.click(Table, offset=(6, 0))
        await pilot.click(Table, offset=(20, 0))
        assert screen.listing.order == "task"


async def test_keys_work_on_an_empty_screen_and_once_it_is_not() -> None:
    source = told()
    async with playing(source) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, RunsScreen)
        await settled(pilot, lambda: screen.has_class("-empty"))
        await pilot.press("S")
        assert screen.listing.order == "state"
        screen.runs = {row.id: row for row in rows(3)}
        await settled(pilot, lambda: not screen.has_class("-empty"))
        await pilot.press("down")
        assert screen.query_one(Table).cursor == 1


async def test_the_cursor_stays_on_its_run_when_another_comes() -> None:
    source = told(rows(3))
    async with playing(source) as pilot:
        screen, table = await listing(pilot, 3)
        await pilot.press("down")
        on = table.row
        new = rows(8)[7]
        screen.runs = {**screen.runs, new.id: new}
        await settled(pilot, lambda: len(table.rows) == 4)
        assert table.row == on


async def test_ages_go_on_where_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("refiner.tui.widgets.table.AGING", 0.01)
    async with playing(told(rows(1))) as pilot:
        _, table = await listing(pilot, 1)
        before, now = table.render_line(1).text, figures.now()
        monkeypatch.setattr(figures, "now", lambda: now + timedelta(days=400))
        with patch.object(table, "refresh") as drawn:
            await settled(pilot, lambda: drawn.called)
        assert table.render_line(1).text != before


async def test_a_run_is_opened_and_left() -> None:
    source = told(rows(3), mended().events)
    async with playing(source) as pilot:
        await listing(pilot, 3)
        await pilot.press("down", "enter")
        await settled(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
        assert source.asked[0] == ("follow", "r-0001", 0)
        await pilot.press("escape")
        await settled(pilot, lambda: isinstance(pilot.app.screen, RunsScreen))


async def test_the_run_that_was_asked_for_is_opened_at_once() -> None:
    async with playing(told(rows(3), mended().events), run="r-0002") as pilot:
        await settled(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
    async with playing(told(rows(3)), run="nobody") as pilot:
        await settled(pilot)
        assert isinstance(pilot.app.screen, RunsScreen)


async def test_tabs_base_and_split() -> None:
    source = told((), mended().events)
    async with playing(source) as pilot:
        screen = await opened(pilot, source, mended().events)
        for number, tab in enumerate(TABS, 1):
            await pilot.press(str(number))
            await settled(pilot)
            assert screen.query_one("#right", TabbedContent).active.startswith(tab)
        diff = screen.query_one(Diff)
        await pilot.press("1", "up", "a")
        assert diff.base == "0/1"
        await pilot.press("a", "u")
        assert (str(diff.base), diff.split) == ("None", True)


async def test_a_draft_of_a_program_is_compared_with_the_given_one() -> None:
    mends = plan("Mend one().", Kind.CODE, "repair")
    story = Story().begin(replace(mends, task=replace(mends.task, program="def one():\n    return 0\n")))
    for chain in (0, 1):
        story.candidate(chain, 0, f"def one():\n    return {chain}\n").decide(chain, 0, "it is the first")
    source = told((), story.events)
    async with playing(source) as pilot:
        screen = await opened(pilot, source, story.events)
        diff = screen.query_one(Diff)
        await settled(pilot, lambda: "+    return 1" in diff.text)
        await pilot.press("up")
        await settled(pilot, lambda: not diff.text)


async def test_what_a_next_version_is_made_from_is_shown_until_that_is_written() -> None:
    story = Story().begin(plan("Write a line.")).candidate(0, 0, "The sea is dry.").decide(0, 0, "it is the first")
    source = told((), story.ask("0/0/updater/step.0").events)
    async with playing(source) as pilot:
        screen = await opened(pilot, source, story.events)
        words = screen.query_one("#answer").query_one(Words)
        await pilot.press("5")
        await settled(pilot, lambda: "0/1, being written" in words.render_line(0).text)
        screen.model = model_of(story.reply("0/0/updater/step.0", "").ask("0/0/critic/loss").events)
        await settled(pilot, lambda: "The sea is dry." in words.render_line(1).text)


async def test_text_streams_and_nothing_in_it_is_obeyed() -> None:
    source = told((), writing("[bold red]no[/] \x1b[31mmarkup \u202e"))
    async with playing(source) as pilot:
        screen = await opened(pilot, source, writing())
        await pilot.press("2")
        words = screen.query_one("#critique").query_one(Words)

        def shown() -> str:
            return "\n".join(strip.text for strip in pilot.app.screen._compositor.render_strips())

        await settled(pilot, lambda: "[bold red]no[/] markup" in shown())
        assert "\x1b" not in shown()
        assert words.is_attached


async def test_it_comes_back_and_misses_nothing() -> None:
    events = mended().events
    source = told((), events[:10])
    source.lose()
    async with playing(source) as pilot:
        screen = await opened(pilot, source, events[:10])
        await settled(pilot, lambda: screen.query_one(Bar).lost is not None)
        source.tell(*events[8:])
        await settled(pilot, lambda: screen.model.last == events[-1].id)
        assert source.asked == [("follow", "r-7f3k", 0), ("follow", "r-7f3k", events[9].id)]
        assert screen.query_one(Bar).lost is None
        assert screen.model.written(CRITIQUE) is None


async def test_help_lists_the_keys_as_they_are_set() -> None:
    async with playing(told(), keys={"sort": "z"}) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, RunsScreen)
        await pilot.press("z")
        assert screen.listing.order == "state"
        await pilot.press("question_mark")
        help_ = pilot.app.screen
        assert isinstance(help_, HelpScreen)
        lines = help_._lines().plain.splitlines()
        assert any(line.split()[:2] == ["z", "sort"] for line in lines)
        await pilot.press("escape")
        await settled(pilot, lambda: pilot.app.screen is screen)


async def test_the_palette_goes_to_a_run() -> None:
    source = told(rows(3), mended().events)
    async with playing(source) as pilot:
        await listing(pilot, 3)
        await pilot.press("colon", *"r-0002")
        offered = pilot.app.screen.query_one(CommandList)
        await settled(
            pilot, lambda: offered.option_count == 1 and "r-0002" in str(offered.get_option_at_index(0).prompt)
        )
        await pilot.press("enter")
        await settled(pilot, lambda: isinstance(pilot.app.screen, RunScreen))


async def test_quit() -> None:
    async with playing(told()) as pilot:
        await pilot.press("q")
        await settled(pilot, lambda: not pilot.app.is_running)


def test_what_is_not_there() -> None:
    with pytest.raises(UsageError, match="textual-dark, textual-light"):
        RefinerApp(told(), theme="pink")
    with pytest.raises(UsageError, match="did you mean 'filter'"):
        RefinerApp(told(), keys={"filtr": "f"})
    with pytest.raises(UsageError, match="there is no key 'slsh'"):
        RefinerApp(told(), keys={"filter": "f, ctrl+k,shift+f5,/,slash,G,pageup,é,slsh"})


async def test_two_marked_runs_are_compared() -> None:
    source = told(rows(5), mended().events, mending().events)
    async with playing(source) as pilot:
        await listing(pilot, 5)
        await pilot.press("space", "c")
        assert isinstance(pilot.app.screen, RunsScreen)
        await pilot.press("down", "space", "c")
        await settled(pilot, lambda: isinstance(pilot.app.screen, CompareScreen))
        screen = pilot.app.screen
        assert isinstance(screen, CompareScreen)
        await settled(pilot, lambda: all(model.last for model in screen.models))
        assert {asked[1] for asked in source.asked} == set(screen.runs) == {"r-0000", "r-0002"}
        diff = screen.query_one(Diff)
        await pilot.press("u")
        assert diff.split
        await pilot.press("escape")
        await settled(pilot, lambda: isinstance(pilot.app.screen, RunsScreen))


async def test_the_palette_and_the_keys_go_anywhere() -> None:
    source = told(rows(3), mended().events)
    source.state = at_work()
    async with playing(source) as pilot:
        await listing(pilot, 3)
        await pilot.press("f3")
        await settled(pilot, lambda: isinstance(pilot.app.screen, ServiceScreen))
        await settled(pilot, lambda: "2 waiting" in pilot.app.screen.query_one(Bar).told)
        await pilot.press("enter")
        await settled(pilot, lambda: ("follow", "r-0003", 0) in source.asked)
        await pilot.press("escape", "colon", *"r-0002")
        offered = pilot.app.screen.query_one(CommandList)
        await settled(pilot, lambda: offered.option_count == 1)
        await pilot.press("enter")
        await settled(pilot, lambda: ("follow", "r-0002", 0) in source.asked)
        await pilot.press("escape", "escape")
        await settled(pilot, lambda: isinstance(pilot.app.screen, RunsScreen))


async def test_without_colours_signs_and_words_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    source = told(rows(8), mended().events)
    async with playing(source) as pilot:
        await listing(pilot, 8)

        def drawn() -> tuple[str, set[str]]:
            segments = [each for strip in pilot.app.screen._compositor.render_strips() for each in strip]
            styles = [each.style for each in segments if each.style]
            colours = {str(part.name) for style in styles for part in (style.color, style.bgcolor) if part}
            return "".join(each.text for each in segments), colours

        text, colours = drawn()
        assert colours <= {"default"}
        assert all(
            state in text for state in ("● running", "‖ paused", "… queued", "✓ done", "✗ failed", "↯ interrupted")
        )
        await opened(pilot, source, mended().events)
        text, colours = drawn()
        assert colours <= {"default"}
        assert all(
            sign in text for sign in ("✓ 0/0", "✗ 0/1", "★ 0/2", "‼", "-      return 0", "+      return sum(xs)")
        )


@pytest.mark.parametrize("theme", BUILTIN_THEMES)
def test_every_theme_can_be_chosen(theme: str) -> None:
    assert RefinerApp(told(), theme=theme).theme == theme


async def test_the_mouse_opens_rows_and_tabs() -> None:
    source = told(rows(5), mended().events)
    async with playing(source) as pilot:
        _, table = await listing(pilot, 5)
        await pilot.click(Table, offset=(20, 3))
        assert table.cursor == 2
        await pilot.click(Table, offset=(20, 3))
        await settled(pilot, lambda: ("follow", "r-0002", 0) in source.asked)
        right = pilot.app.screen.query_one("#right", TabbedContent)
        await pilot.click("#right", offset=(12, 0))
        await settled(pilot, lambda: right.active == "critique")
