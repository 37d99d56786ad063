"""Pictures of screens: text files beside the tests, one a screen, state and size, with the styles of every theme.

`pytest tests/tui --snapshot-update` draws them anew; look at what git shows then.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from unittest.mock import patch

import anyio
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode
from textual._compositor import LayoutUpdate
from textual.app import App
from textual.pilot import Pilot
from textual.screen import Screen

from refiner.domain.events import Delta, Heard
from refiner.tui.app import RefinerApp
from refiner.tui.screens.run import RunScreen
from refiner.tui.source import Source

SIZES = ((80, 24), (120, 36))
THEMES = ("textual-dark", "textual-light", "ansi-dark")


class Plain(SingleFileSnapshotExtension):
    file_extension = "txt"
    _write_mode = WriteMode.TEXT


@dataclass(frozen=True)
class Pictures:
    """Compares what an app shows with the files of a test, in every theme and size."""

    snapshot: SnapshotAssertion

    async def of(self, pilot: Pilot[None], keys: str = "", ready: Callable[[], bool] = lambda: True) -> None:
        """One picture, or one after each key; ready says when what comes late is there."""
        with patch.object(Screen, "_compositor_refresh"):  # what is drawn in between nobody sees
            seen = await self._seen(pilot, keys, ready)
        for name, told in seen.items():
            assert "\n".join(told) == self.snapshot(name=name, extension_class=Plain)

    async def _seen(self, pilot: Pilot[None], keys: str, ready: Callable[[], bool]) -> dict[str, list[str]]:
        seen: dict[str, list[str]] = {}
        sizes = SIZES
        for theme in THEMES:
            pilot.app.theme = theme
            for width, height in sizes:
                if pilot.app.size != (width, height):
                    await pilot.resize_terminal(width, height)
                pilot.app.clear_notifications()
                for key in keys or ("",):
                    await pilot.press(*key)
                    await settled(pilot, ready)
                    text, styles = drawn(pilot.app)
                    told = seen.setdefault(f"{key}-{width}x{height}".lstrip("-"), [text])
                    told += [f"── {theme}", *([text] if text != told[0] else []), styles]
            sizes = sizes[::-1]  # a size that stays saves a layout
        return seen


def drawn(app: App[None]) -> tuple[str, str]:
    """What is on the screen: its text, and the styles: a letter each, then line by line how far each one reaches."""
    update = app.screen._compositor.render_update(full=True, screen_stack=app._background_screens, simplify=True)
    assert isinstance(update, LayoutUpdate)
    names: dict[str, str] = {}
    texts, lines = [], []
    for strips in update.strips:
        segments = [segment for strip in strips for segment in strip]
        texts.append("".join(segment.text for segment in segments).rstrip())
        runs = groupby(segments, lambda segment: names.setdefault(str(segment.style), chr(ord("a") + len(names))))
        lines.append(" ".join(f"{name}{sum(segment.cell_length for segment in run)}" for name, run in runs))
    shown = [f"{name} {style}" for style, name in names.items()]
    return "\n".join(texts), "\n".join(shown + lines)


async def settled(pilot: Pilot[None], until: Callable[[], bool] = lambda: True) -> None:
    """Wait until something is so, and all that follows from it is drawn."""
    with anyio.fail_after(60):  # a test that hangs says nothing
        while not until():
            await pilot.pause(0.01)  # what it waits for may need the processor
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
