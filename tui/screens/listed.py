"""A screen around a listing, which looks at the source again and again."""

from typing import Any

from textual import work
from textual.screen import Screen

from refiner.tui.link import looking
from refiner.tui.source import Source
from refiner.tui.widgets.listing import Listing


class ListedScreen(Screen[None]):
    """What each look takes from the source is the screen's own."""

    source: Source
    listing: Listing[Any]

    async def look(self) -> None:
        raise NotImplementedError

    def on_mount(self) -> None:
        self.listing.table.focus()
        self.watch_source()

    @work
    async def watch_source(self) -> None:
        """Look again and again while the screen is seen."""
        await looking(self, self.look)
