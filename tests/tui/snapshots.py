"""Pictures of screens: SVG files beside the tests, one a screen, state, size and theme.

`pytest tests/tui --snapshot-update` draws them anew; look at what git shows then.
"""

import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode
from textual.pilot import Pilot

from refiner.domain.events import Delta, Heard
from refiner.tui.app import RefinerApp
from refiner.tui.screens.run import RunScreen
from refiner.tui.source import Source

SIZES = ((80, 24), (120, 36))
THEMES = ("textual-dark", "textual-light", "ansi-dark")


class Svg(SingleFileSnapshotExtension):
    file_extension = "svg"
    _write_mode = WriteMode.TEXT


@dataclass(frozen=True)
class Pictures:
    """Compares what an app shows with the files of a test, in every theme and size."""

    snapshot: SnapshotAssertion

    async def of(self, pilot: Pilot[None], keys: str = "", ready: Callable[[], bool] = lambda: True) -> None:
        """One picture, or one after each key; ready says when what comes late is there."""
        for theme in THEMES:
            pilot.app.theme = theme
            for width, height in SIZES:
                await pilot.resize_terminal(width, height)
                pilot.app.clear_notifications()
                for key in keys or ("",):
                    await pilot.press(*key)
                    await settled(pilot, ready)
                    picture = re.sub(r"terminal-\d+", "terminal", pilot.app.export_screenshot(simplify=True))
                    name = f"{key}-{width}x{height}-{theme}".lstrip("-")
                    assert picture == self.snapshot(name=name, extension_class=Svg)


async def settled(pilot: Pilot[None], until: Callable[[], bool] = lambda: True) -> None:
    """Wait until something is so, and all that follows from it is drawn."""
    while not until():
        await pilot.pause()
    await pilot.pause()
    await pilot.pause()


@asynccontextmanager
async def playing(source: Source, size: tuple[int, int] = SIZES[0], **options: Any) -> AsyncIterator[Pilot[None]]:
    """An app that runs without a terminal."""
    app = RefinerApp(source, **options)
    app.animation_level = "none"
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        yield pilot


async def opened(pilot: Pilot[None], source: Source, events: Sequence[Heard] = (), run: str = "r-7f3k") -> RunScreen:
    """The screen of a run, which has heard these events."""
    screen = RunScreen(source, run)
    await pilot.app.push_screen(screen)
    last = max((event.id for event in events if not isinstance(event, Delta)), default=0)
    await settled(pilot, lambda: screen.model.last == last)
    return screen
