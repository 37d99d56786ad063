"""The command palette's runs: any of those that the screens know, by id or title."""

from functools import partial

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from refiner.domain.harmless import line
from refiner.domain.store import RunRow
from refiner.tui.screens.run import RunScreen
from refiner.tui.screens.runs import RunsScreen

MOST = 20
"""Runs that are offered before anything is typed."""


class RunsProvider(Provider):
    """Opens a run."""

    async def discover(self) -> Hits:
        for row in self._rows()[:MOST]:
            name = _name(row)
            yield DiscoveryHit(Content(name), partial(self._open, row.id), text=name, help=row.status)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for row in self._rows():
            name = _name(row)
            if score := matcher.match(name):
                yield Hit(score, Content(name), partial(self._open, row.id), text=name, help=row.status)

    def _rows(self) -> list[RunRow]:
        return list(self._screen.runs.values())

    def _open(self, run: str) -> None:
        self.app.push_screen(RunScreen(self._screen.source, run))

    @property
    def _screen(self) -> RunsScreen:
        return next(screen for screen in self.app.get_screen_stack("runs") if isinstance(screen, RunsScreen))


def _name(row: RunRow) -> str:
    return f"Run {row.id}: {line(row.title)}"
