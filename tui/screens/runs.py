"""Runs: all of them, those under way first."""

from collections.abc import Callable
from functools import partial
from typing import ClassVar

import anyio
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.events import ScreenResume
from textual.reactive import var
from textual.screen import Screen
from textual.widgets import Footer, Static

from refiner.domain.run import Control, Limits
from refiner.domain.store import RunRow
from refiner.tui import figures
from refiner.tui.link import kept
from refiner.tui.runs import RUN_ORDERS, UNDER_WAY, run_text
from refiner.tui.screens.compare import CompareScreen
from refiner.tui.screens.new import NewScreen
from refiner.tui.screens.run import RunScreen
from refiner.tui.source import Source
from refiner.tui.steering import STEERING, asked, named, rebudget, steer, tried
from refiner.tui.widgets.bar import Bar
from refiner.tui.widgets.listing import Listing
from refiner.tui.widgets.table import Cell, Column, Table, Tone

FIRST, PAGE = 100, 1_000
"""Runs that are read at first, so that they are soon there, and then at a time."""

EVERY = 0.5
"""Seconds between two looks at what changed."""

_STATES: dict[str, tuple[str, Tone]] = {
    "queued": ("…", "dim"),
    "running": ("●", "accent"),
    "paused": ("‖", "warning"),
    "done": ("✓", "good"),
    "failed": ("✗", "bad"),
    "interrupted": ("↯", "warning"),
}

EMPTY = """\
There is no run yet: n begins one. In a shell:

    refiner solve "How many primes are below 50?"
    refiner solve buggy.py --tests test_buggy.py
"""


def state(row: RunRow) -> Cell:
    sign, tone = _STATES.get(row.status, ("·", "dim"))
    return Cell(f"{sign} {row.status}", tone)


def best(row: RunRow) -> Cell:
    """The best score; where there is none, the voters of the leading answer against those of the next."""
    if row.best is not None:
        return Cell(figures.share(row.best), "good" if row.best == 1 else "plain")
    return Cell(f"{row.lead[0]}:{row.lead[1]}" if row.lead else figures.UNKNOWN)


COLUMNS: tuple[Column[RunRow], ...] = (
    Column("state", 13, state),
    Column("task", 0, lambda row: Cell(row.title)),
    Column("strategy", 8, lambda row: Cell(row.strategy, "dim"), rank=2),
    Column("it", 3, lambda row: Cell(str(row.iterations)), right=True),
    Column("best", 5, best, right=True),
    Column("tokens", 6, lambda row: Cell(figures.tokens(row.tokens)), right=True),
    Column("cost", 8, lambda row: Cell(figures.dollars(row.cost_usd)), right=True, rank=1),
    Column("stop", 12, lambda row: Cell(row.stop or "", "dim"), rank=3),
    Column("age", 4, lambda row: Cell(figures.age(row.created_at), "dim"), right=True),
)


class RunsScreen(Screen[None]):
    """The table of runs; what the source tells goes into `runs`, and from there into the listing."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "new", "New", id="new", tooltip="Begin a new run"),
        *STEERING,
        Binding("D,delete", "delete", "Delete", id="delete", tooltip="Delete runs for good", show=False),
        Binding("space", "mark", "Mark", id="mark", tooltip="Mark a run, to do something with several at once"),
        Binding("c", "compare", "Compare", id="compare", tooltip="Put two marked runs side by side"),
        Binding("escape", "clear", "Clear", id="clear", tooltip="Drop the filter and the marks", show=False),
    ]
    CSS = """
    RunsScreen {
        #empty { padding: 1 2; display: none; }
        &.-empty { #empty { display: block; } Listing { display: none; } }
    }
    """

    runs: var[dict[str, RunRow]] = var(dict)

    def __init__(self, source: Source) -> None:
        super().__init__()
        self.source = source
        self.deleted: set[str] = set()
        self.listing = Listing("Runs", COLUMNS, lambda row: row.id, RUN_ORDERS, run_text)

    def compose(self) -> ComposeResult:
        yield Bar(self.source, "Runs")
        yield self.listing
        yield Static(EMPTY, id="empty", markup=False)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self.listing.table.focus()
        self.watch_source()

    @property
    def chosen(self) -> tuple[str, ...]:
        """The marked runs; where none is, the one under the cursor."""
        table = self.listing.table
        return tuple(table.marked) or ((table.row.id,) if table.row else ())

    @work
    async def watch_source(self) -> None:
        """Read all runs, then what changes, for as long as the screen lives."""
        await kept(self._read, self.query_one(Bar).say)

    async def _read(self, heard: Callable[[], None]) -> None:
        since, offset = figures.now(), 0
        while page := await self.source.runs(PAGE if offset else FIRST, offset):
            heard()
            self.runs = {**self.runs, **{row.id: row for row in page}}
            offset += len(page)
        heard()
        self.set_class(not self.runs, "-empty")
        while True:
            await anyio.sleep(EVERY)
            rows = await self.source.changed(since)
            heard()
            # What is told may have been read before a run was deleted.
            new = {row.id: row for row in rows if self.runs.get(row.id) != row and row.id not in self.deleted}
            since = max((row.updated_at for row in rows), default=since)
            if new:
                self.runs = {**self.runs, **new}

    def watch_runs(self) -> None:
        self._fill()

    @on(ScreenResume)
    def _resumed(self) -> None:
        if self.runs:
            self._fill()

    def _fill(self) -> None:
        """Fill the listing; nothing while another screen is on top."""
        if not self.is_mounted or not self.is_current:
            return
        live = sum(row.status in UNDER_WAY for row in self.runs.values())
        self.query_one(Bar).told = f"{len(self.runs)}, {live} under way"
        self.listing.rows = tuple(self.runs.values())
        if self.runs and self.has_class("-empty"):
            self.remove_class("-empty")
            self.listing.table.focus()

    @work
    async def action_new(self) -> None:
        if (run := await self.app.push_screen_wait(NewScreen(self.source))) is not None:
            self.app.push_screen(RunScreen(self.source, run))

    @work
    async def action_steer(self, control: Control) -> None:
        spends = any(self.runs[run].status != "paused" for run in self.chosen)
        await steer(self, self.source, control, self.chosen, spends=spends)

    @work
    async def action_budget(self) -> None:
        await rebudget(self, self.source, self.chosen, Limits())

    @work
    async def action_delete(self) -> None:
        runs = self.chosen
        if not runs or not await asked(self, f"Delete {named(runs)} for good, with all that is known of it?"):
            return
        for run in runs:
            if await tried(self, partial(self.source.remove, run)):
                self.deleted.add(run)
                self.runs = {name: row for name, row in self.runs.items() if name != run}
        self.listing.table.marked = frozenset()

    def action_mark(self) -> None:
        self.listing.table.action_mark()

    def action_compare(self) -> None:
        marked = [row.id for row in self.listing.table.rows if row.id in self.listing.table.marked]
        if len(marked) == 2:
            self.app.push_screen(CompareScreen(self.source, (marked[0], marked[1])))
        else:
            self.notify(f"mark two runs, each with the space bar: {len(marked)} are marked", severity="warning")

    def action_clear(self) -> None:
        self.listing.clear()

    @on(Table.Opened)
    def _opened(self, event: Table.Opened) -> None:
        self.app.push_screen(RunScreen(self.source, event.name))
