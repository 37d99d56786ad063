"""The pictures of the README: `make pictures` draws them into docs/pictures, from runs that are told."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import anyio
from textual.pilot import Pilot

from refiner.domain.events import Heard
from refiner.tui import figures
from tests.tui.snapshots import opened, playing, settled
from tests.tui.told import BEGAN, mended, rows, writing
from tests.tui.told_source import told

PLACE = Path(__file__).parents[2] / "docs" / "pictures"
SIZE = (110, 24)
TITLES = (
    "Mend total(): the sum of an empty list is 0",
    "How many primes are below 50?",
    "Mend the towers of Hanoi",
    "How many minutes are there in 3 hours and 20 minutes?",
    "Write a few lines about the sea.",
    "Which number comes next: 1, 1, 2, 3, 5?",
    "Mend bisect(): the last element is never found",
)


async def draw() -> None:
    figures.now = lambda: BEGAN + timedelta(seconds=60)
    PLACE.mkdir(exist_ok=True)
    runs = [replace(row, title=TITLES[number % len(TITLES)]) for number, row in enumerate(rows(16))]
    async with playing(told(runs), SIZE) as pilot:
        await settled(pilot)
        save(pilot, "runs")
    await draw_run("run", mended().events, "1")
    await draw_run(
        "critique", writing("The sea is not dry, and nothing is said of its colour. Say that it is wide, and na"), "2"
    )


async def draw_run(name: str, events: Sequence[Heard], key: str) -> None:
    source = told((), events)
    async with playing(source, SIZE) as pilot:
        await opened(pilot, source, events)
        await pilot.press(key)
        await settled(pilot)
        save(pilot, name)


def save(pilot: Pilot[None], name: str) -> None:
    """Without the address of a font, which no picture may ask for, and a number that is always another one."""
    svg = pilot.app.export_screenshot(title="refiner tui", simplify=True)
    (PLACE / f"{name}.svg").write_text(re.sub(r"@font-face {.*?}\n|(?<=terminal)-\d+", "", svg, flags=re.DOTALL))


if __name__ == "__main__":
    anyio.run(draw)
