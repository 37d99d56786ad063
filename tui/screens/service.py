"""The service: who waits, what is asked of the providers, what recurs, and the end of the log."""

from typing import ClassVar

import anyio
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.reactive import reactive
from textual.screen import Screen
from textual.widgets import Footer, Static

from refiner.domain.errors import RefinerError
from refiner.domain.service import Reached, Recurring, ServiceState, Waiting
from refiner.tui import figures
from refiner.tui.screens.run import RunScreen
from refiner.tui.source import Source
from refiner.tui.widgets.bar import Bar
from refiner.tui.widgets.table import Cell, Column, Table
from refiner.tui.widgets.words import Words

EVERY = 1.0
"""Seconds between two looks."""

EMPTY = """\
No service answers. In a shell:

    refiner serve                  until Ctrl-C
    refiner daemon unit --help     by systemd, from login to logout

Meanwhile the runs of the database are shown, and those of `refiner solve` among them as they go on.
"""

QUEUE: tuple[Column[Waiting], ...] = (
    Column("run", 8, lambda each: Cell(each.id)),
    Column("task", 0, lambda each: Cell(each.title)),
    Column("submitter", 12, lambda each: Cell(each.submitter, "dim"), rank=1),
    Column("priority", 8, lambda each: Cell(str(each.priority)), right=True),
    Column("waits", 5, lambda each: Cell(figures.age(each.queued_at)), right=True),
)
PROVIDERS: tuple[Column[Reached], ...] = (
    Column("model", 0, lambda each: Cell(each.model)),
    Column("calls", 9, lambda each: Cell(f"{each.calls} of {each.limit}"), right=True),
    Column("at most", 7, lambda each: Cell(str(each.most), "dim"), rank=1, right=True),
    Column("waiting", 7, lambda each: Cell(str(each.waiting)), right=True),
    Column("429s", 5, lambda each: Cell(str(each.refused), "warning" if each.refused else "dim"), right=True),
)
SCHEDULES: tuple[Column[Recurring], ...] = (
    Column("schedule", 18, lambda each: Cell(each.name)),
    Column("cron", 14, lambda each: Cell(each.cron, "dim"), rank=1),
    Column("last", 9, lambda each: Cell(f"{figures.age(each.last)} ago" if each.last else "never"), right=True),
    Column("next", 7, lambda each: Cell(f"in {figures.until(each.next)}"), right=True),
    Column("what", 0, lambda each: Cell(each.what, "dim"), rank=2),
)


class ServiceScreen(Screen[None]):
    """What the source tells is in `state`; None where there is no service."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "app.place('runs')", "Runs", id="to_runs", tooltip="To the runs"),
    ]
    CSS = """
    ServiceScreen {
        #empty { padding: 1 2; display: none; }
        #parts { layout: grid; grid-size: 2; }
        #parts > * { height: 1fr; border-top: solid $panel; border-title-color: $primary; }
        &.-narrow #parts { layout: vertical; }
        &.-empty { #empty { display: block; } #parts { display: none; } }
    }
    """

    state: reactive[ServiceState | None] = reactive(None, init=False, always_update=True)

    def __init__(self, source: Source) -> None:
        super().__init__()
        self.source = source

    def compose(self) -> ComposeResult:
        yield Bar(self.source, "Service")
        yield Static(EMPTY, id="empty", markup=False)
        with Container(id="parts"):
            yield Table(QUEUE, lambda each: each.id, id="queue")
            yield Table(PROVIDERS, lambda each: each.model, id="providers")
            yield Table(SCHEDULES, lambda each: each.name, id="schedules")
            yield Words(id="log")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        for name in ("providers", "schedules", "log"):
            self.query_one(f"#{name}").border_title = name.capitalize()
        self.query_one("#queue").focus()
        self.watch_source()

    @work
    async def watch_source(self) -> None:
        """Look again and again while the screen is seen."""
        while True:
            if self.is_current:
                try:
                    self.state = await self.source.service_state()
                except RefinerError:
                    self.state = None
            await anyio.sleep(EVERY)

    def watch_state(self, state: ServiceState | None) -> None:
        if not self.query("#queue"):
            return  # the screen is being taken down
        self.set_class(state is None, "-empty")
        bar = self.query_one(Bar)
        if state is None:
            bar.told = "there is none"
            return
        bar.told = f"{state.live} of {state.most} workers busy, {state.queued} waiting"
        queue: Table[Waiting] = self.query_one("#queue", Table)
        queue.border_title = f"Queue: {state.queued}" if state.queued else "Queue: nothing waits"
        queue.fill(state.queue)
        self.query_one("#providers", Table).fill(state.providers)
        self.query_one("#schedules", Table).fill(state.schedules)
        self.query_one("#log", Words).tail("\n".join(state.log))

    @on(Table.Opened, "#queue")
    def _opened(self, event: Table.Opened) -> None:
        self.app.push_screen(RunScreen(self.source, event.name))
