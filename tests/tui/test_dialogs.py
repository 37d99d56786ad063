"""What the dialogs and the form look like, in one theme."""

import pytest
from textual.widgets import Input, Static, TextArea

from refiner.domain.events import Heard
from refiner.tui.screens.ask import AskScreen
from refiner.tui.screens.edit import EditScreen
from refiner.tui.screens.fields import FieldsScreen
from refiner.tui.screens.new import NewScreen
from tests.tui.snapshots import Pictures, opened, playing, settled
from tests.tui.test_steering import criticised, pressed
from tests.tui.told_source import told

pytestmark = pytest.mark.anyio

DIALOGS: dict[str, type[object]] = {"x": AskScreen, "e": EditScreen, "f": EditScreen, "b": FieldsScreen}


@pytest.mark.parametrize("key", DIALOGS)
async def test_dialog(key: str, pictures: Pictures) -> None:
    events: list[Heard] = [*criticised().events]
    source = told((), events)
    async with playing(source) as pilot:
        await opened(pilot, source, events)
        await pressed(pilot, key, DIALOGS[key])
        if key == "b":
            pilot.app.screen.query_one("#calls", Input).value = "many"
            await pilot.press("enter")
        for area in (*pilot.app.screen.query(TextArea), *pilot.app.screen.query(Input)):
            area.cursor_blink = False
        await pictures.of(pilot)


async def test_new_run(pictures: Pictures) -> None:
    async with playing(told()) as pilot:
        await pressed(pilot, "n", NewScreen)
        form = pilot.app.screen
        await pilot.press("ctrl+s")
        await settled(pilot, lambda: form.query_one("#task-wrong", Static).has_class("-shown"))
        task = form.query_one("#task", TextArea)
        task.text = "Write [b]a few[/b] lines about the sea."
        task.cursor_blink = False
        await settled(pilot, lambda: "most" in str(form.query_one("#plan", Static).content))
        await pictures.of(pilot)
