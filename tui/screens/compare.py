"""Two runs side by side: figures, iterations, and how their answers differ."""

from collections.abc import Callable
from functools import partial, reduce
from typing import ClassVar

import anyio
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.reactive import reactive
from textual.screen import Screen
from textual.widgets import Footer

from refiner.domain.errors import RefinerError
from refiner.domain.run_model import RunModel, heard
from refiner.domain.task import Kind
from refiner.tui.comparison import columns, lines
from refiner.tui.link import kept
from refiner.tui.screens.run import FRAME
from refiner.tui.source import Source
from refiner.tui.widgets.bar import Bar
from refiner.tui.widgets.diff import Diff
from refiner.tui.widgets.table import Table


class CompareScreen(Screen[None]):
    """What the source tells of each run is folded into its place in `models`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "app.pop_screen", "Back", id="compare_back", tooltip="Back to the runs"),
        Binding("u", "split", "Split", id="compare_split", tooltip="The diff side by side, unified, or by room"),
    ]
    CSS = """
    CompareScreen {
        #parts { layout: horizontal; height: 1fr; }
        #parts > * { width: 1fr; height: 1fr; }
        Diff { border-left: solid $panel; }
        &.-narrow #parts { layout: vertical; }
        &.-narrow Diff { border-left: none; border-top: solid $panel; }
    }
    """

    models: reactive[tuple[RunModel, RunModel]] = reactive((RunModel(), RunModel()), init=False)

    def __init__(self, source: Source, runs: tuple[str, str]) -> None:
        super().__init__()
        self.source = source
        self.runs = runs

    def compose(self) -> ComposeResult:
        yield Bar(self.source, f"Compare {self.runs[0]} with {self.runs[1]}")
        with Container(id="parts"):
            yield Table(columns(10, *self.runs), lambda line: line.name, id="lines")
            yield Diff()
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self.query_one("#lines").focus()
        for side in (0, 1):
            self.watch_source(side)

    @work
    async def watch_source(self, side: int) -> None:
        """Follow one of the runs for as long as the screen lives."""
        try:
            await kept(partial(self._follow, side), self.query_one(Bar).say)
        except RefinerError as error:
            self.notify(str(error), severity="error", markup=False)

    async def _follow(self, side: int, told: Callable[[], None]) -> None:
        async for what in self.source.follow(self.runs[side], self.models[side].last):
            told()
            new = reduce(heard, what, self.models[side])
            self.models = (new, self.models[1]) if side == 0 else (self.models[0], new)
            await anyio.sleep(FRAME)

    async def watch_models(self) -> None:
        self.query_one("#lines", Table).fill(lines(*self.models))
        await self._draw()

    async def _draw(self) -> None:
        plan = self.models[0].state.plan
        texts = [model.best.candidate.text if model.best else None for model in self.models]
        await self.query_one(Diff).between(self.runs, (texts[0], texts[1]), plan.task.kind if plan else Kind.TEXT)

    async def action_split(self) -> None:
        self.query_one(Diff).turn()
        await self._draw()
