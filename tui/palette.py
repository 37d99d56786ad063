"""The command palette's runs and evals: any of those that are known, by id or title."""

from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from refiner.domain.errors import RefinerError
from refiner.domain.eval_state import EvalLine
from refiner.domain.evals import sets
from refiner.domain.harmless import line
from refiner.domain.store import RunRow
from refiner.tui.screens.eval import EvalScreen
from refiner.tui.screens.run import RunScreen
from refiner.tui.screens.runs import RunsScreen

MOST = 20
"""Runs, or evals, that are offered before anything is typed."""


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
        return list(_runs(self).runs.values())

    def _open(self, run: str) -> None:
        self.app.push_screen(RunScreen(_runs(self).source, run))


class EvalsProvider(Provider):
    """Opens an eval."""

    async def startup(self) -> None:
        self._found: Sequence[EvalLine] = ()
        with suppress(RefinerError):
            self._found = await _runs(self).source.evals()

    async def discover(self) -> Hits:
        for row in self._found[:MOST]:
            yield DiscoveryHit(Content(_said(row)), partial(self._open, row.id), text=_said(row), help=row.status)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for row in self._found:
            if score := matcher.match(_said(row)):
                yield Hit(score, Content(_said(row)), partial(self._open, row.id), text=_said(row), help=row.status)

    def _open(self, name: str) -> None:
        self.app.push_screen(EvalScreen(_runs(self).source, name))


def _runs(provider: Provider) -> RunsScreen:
    return next(screen for screen in provider.app.get_screen_stack("runs") if isinstance(screen, RunsScreen))


def _said(row: EvalLine) -> str:
    return line(f"Eval {row.id}: {sets(row.datasets)}, {row.strategy}")


def _name(row: RunRow) -> str:
    return f"Run {row.id}: {line(row.title)}"
