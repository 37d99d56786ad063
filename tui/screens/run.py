"""One run: its iterations, what they cost, and all that was said."""

from collections.abc import Callable
from functools import partial, reduce
from typing import ClassVar

import anyio
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.events import ScreenResume
from textual.reactive import var
from textual.screen import Screen
from textual.widgets import Footer, Sparkline, TabbedContent, TabPane

from refiner.domain.errors import RefinerError
from refiner.domain.run import Control, Limits
from refiner.domain.run_model import ANSWER, CRITIQUE, GRADIENT, Row, RunModel, heard
from refiner.domain.state import Step
from refiner.tui.link import kept
from refiner.tui.source import Source
from refiner.tui.steering import STEERING, rebudget, steer
from refiner.tui.texts import ON_TEXTS, copy, edit, fork, show, write
from refiner.tui.widgets.bar import Bar
from refiner.tui.widgets.calls import Calls
from refiner.tui.widgets.diff import Diff
from refiner.tui.widgets.gauges import Gauges
from refiner.tui.widgets.graph import Graph
from refiner.tui.widgets.iterations import columns, name_of
from refiner.tui.widgets.table import Table
from refiner.tui.widgets.tests import Tests
from refiner.tui.widgets.votes import Votes
from refiner.tui.widgets.words import Words

FRAME = 0.15
"""Seconds between two pictures of a run, however fast it tells."""

REST = 0.2
"""Seconds that the cursor rests on an iteration until it is shown: a diff takes longer than a key."""

TICK = 1.0
"""Seconds between two pictures of a run that tells nothing."""

TABS = ("diff", "critique", "gradient", "tests", "answer", "calls", "graph")


class RunScreen(Screen[None]):
    """What the source tells is folded into `model`, and every part of the screen is drawn from that."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "app.pop_screen", "Back", id="back", tooltip="Back to the runs; this one goes on"),
        *(
            Binding(str(number), f"tab('{tab}')", tab.capitalize(), id=tab, tooltip=f"The tab {tab}", show=False)
            for number, tab in enumerate(TABS, 1)
        ),
        *STEERING,
        *ON_TEXTS,
        Binding("a", "base", "From here", id="base", tooltip="Compare with the version under the cursor, or no longer"),
        Binding("u", "split", "Split", id="split", tooltip="The diff side by side, unified, or as there is room"),
    ]
    CSS = """
    RunScreen {
        #parts { layout: horizontal; height: 1fr; }
        #left { width: 2fr; }
        #right { width: 3fr; border-left: solid $panel; }
        #scores { height: 2; margin: 0 1; display: none; &.-shown { display: block; } }
        TabPane { padding: 0; }
        ContentTab { padding: 0 0 0 1; }
        &.-narrow {
            #parts { layout: vertical; }
            #left { width: 1fr; height: 2fr; }
            #right { width: 1fr; height: 3fr; border-left: none; }
            #scores { display: none; }
            Gauges, Votes { height: 1; }
        }
    }
    """

    model: var[RunModel] = var(RunModel)

    def __init__(self, source: Source, run: str) -> None:
        super().__init__()
        self.source = source
        self._beat = [0]
        self._wants = False
        self._drawn = RunModel()
        self._moves = 0
        self._moving = False
        self.run = run

    def compose(self) -> ComposeResult:
        yield Bar(self.source, f"Run {self.run}")
        with Container(id="parts"):
            with Vertical(id="left"):
                yield Table(columns(self._beat), name_of, id="iterations")
                yield Sparkline(id="scores")
                yield Votes().data_bind(RunScreen.model)
                yield Gauges().data_bind(RunScreen.model)
            with TabbedContent(id="right"):
                with TabPane("1 Diff", id="diff"):
                    yield Diff()
                for name in ("critique", "gradient"):
                    with TabPane(f"{TABS.index(name) + 1} {name.capitalize()}", id=name):
                        yield Words()
                with TabPane("4 Tests", id="tests"):
                    yield Tests()
                with TabPane("5 Answer", id="answer"):
                    yield Words()
                with TabPane("6 Calls", id="calls-tab"):
                    yield Calls()
                with TabPane("7 Graph", id="graph"):
                    yield Graph()
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self.query_one("#iterations", Table).focus()
        self.set_interval(TICK, self._tick)
        self.watch_source()

    @property
    def row(self) -> Row | None:
        """The iteration under the cursor."""
        row: Row | None = self.query_one("#iterations", Table).row
        return row

    @property
    def _told(self) -> Row | None:
        """The iteration under the cursor; while its candidate is being made, the one before it."""
        row = self.row
        if row is None or row.step is not None:
            return row
        before = (each for each in reversed(self.model.rows) if each.chain == row.chain and each.step)
        return next(before, row)

    @work
    async def watch_source(self) -> None:
        """Follow the run for as long as the screen lives."""
        try:
            await kept(self._follow, self.query_one(Bar).say)
        except RefinerError as error:
            self.notify(str(error), severity="error", markup=False)

    async def _follow(self, told: Callable[[], None]) -> None:
        async for what in self.source.follow(self.run, self.model.last):
            told()
            self.model = reduce(heard, what, self.model)
            await anyio.sleep(FRAME)

    def _tick(self) -> None:
        """The clock of a run that is under way."""
        if self.is_current and self.model.state.status == "running":
            self._beat[0] += 1
            self.query_one(Gauges).draw()
            self.query_one("#iterations").refresh()

    async def watch_model(self) -> None:
        await self._draw()

    @on(ScreenResume)
    async def _draw(self) -> None:
        """Draw what has changed since it was last drawn; nothing while another screen is on top."""
        model, drawn = self.model, self._drawn
        if not self.is_mounted or not self.is_current:
            return
        self._drawn = model
        if (model.last, model.writing.keys()) != (drawn.last, drawn.writing.keys()):
            self._draw_rows(model)
        if not self._moving:
            await self._show()

    def _draw_rows(self, model: RunModel) -> None:
        title = model.state.plan.task.title if model.state.plan else ""
        stop = f": {model.state.finished.stop.detail}" if model.state.finished else ""
        self.query_one(Bar).told = f"{model.phase}{stop} · {title}"
        scores = self.query_one("#scores", Sparkline)
        scores.data = model.scores
        scores.set_class(len(model.scores) > 1, "-shown")
        self.query_one("#iterations", Table).fill(model.rows, follow=True)
        self._offer()

    async def _show(self) -> None:
        """Draw the tab that is open."""
        if not self.is_current:
            return
        row, model, right = self._told, self.model, self.query_one("#right", TabbedContent)
        step = row.step if row else None
        match right.active:
            case "diff":
                await self.query_one(Diff).show(model, row)
            case "critique" | "gradient" | "answer" as name:
                self._words(name, step)
            case "tests":
                self.query_one(Tests).show(model, row)
            case "calls-tab":
                self.query_one(Calls).show(model)
            case "graph":
                self.query_one(Graph).show(model)

    def _words(self, name: str, step: Step | None) -> None:
        """A text of the iteration under the cursor; on the last one, what is being written."""
        words = self.query_one(f"#{name}", TabPane).query_one(Words)
        roles = {"critique": CRITIQUE, "gradient": GRADIENT, "answer": ANSWER}[name]
        table: Table[Row] = self.query_one("#iterations", Table)
        writing = self.model.written(roles) if table.cursor == len(table.rows) - 1 else None
        if writing is not None:
            steps = self.model.state.chain(writing.chain).steps
            index = len(steps) if name == "answer" else writing.iteration
            words.grow(writing, f"{writing.chain}/{index}, being written")
            return
        said = {
            "critique": step.evaluation.critique if step and step.evaluation else "",
            "gradient": step.gradient.text if step and step.gradient else "",
            "answer": step.candidate.text if step else "",
        }[name]
        at = f"{step.candidate.chain}/{step.candidate.index}" if step else ""
        words.show(said, f"{name} of {at}" if said else f"no {name} yet")

    @property
    def tab(self) -> str:
        return self.query_one("#right", TabbedContent).active

    @work
    async def action_steer(self, control: Control) -> None:
        await steer(self, self.source, control, (self.run,), spends=self.model.state.status != "paused")

    @work
    async def action_budget(self) -> None:
        plan = self.model.state.plan
        await rebudget(self, self.source, (self.run,), plan.limits if plan else Limits())

    @work(exclusive=True, group="edit")
    async def edit_critique(self) -> None:
        """Edit the critique that waits; where none does, let the next one wait."""
        self._wants = await edit(self)
        self.call_next(self._offer)

    def _offer(self) -> None:
        """Edit the critique that was waited for, once it is there."""
        if self._wants and self.model.state.held:
            self._wants = False
            self.edit_critique()

    def action_edit(self) -> None:
        self.edit_critique()

    @work
    async def action_fork(self) -> None:
        if (run := await fork(self)) is not None:
            self.app.push_screen(RunScreen(self.source, run))

    def action_copy(self) -> None:
        copy(self)

    def action_view(self) -> None:
        show(self)

    @work
    async def action_write(self) -> None:
        await write(self)

    def action_tab(self, name: str) -> None:
        self.query_one("#right", TabbedContent).active = "calls-tab" if name == "calls" else name

    async def action_base(self) -> None:
        row, diff = self.row, self.query_one(Diff)
        name = name_of(row) if row else None
        diff.base = None if diff.base == name else name
        self.notify(f"compared with {diff.base}" if diff.base else "compared with what it was made from")
        await self._show()

    async def action_split(self) -> None:
        self.query_one(Diff).turn()
        await self._show()

    @on(Table.Moved, "#iterations")
    def _moved(self) -> None:
        self._moves, self._moving = self._moves + 1, True
        self.set_timer(REST, partial(self._rested, self._moves))

    def _rested(self, moves: int) -> None:
        if moves == self._moves:
            self._moving = False
            self.call_next(self._show)

    @on(TabbedContent.TabActivated)
    async def _activated(self) -> None:
        await self._show()
