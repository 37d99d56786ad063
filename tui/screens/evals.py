"""Evals: all of them, live ones first."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.reactive import var
from textual.widgets import Footer, Static

from refiner.domain.eval_state import EvalLine
from refiner.tui.evals import EVAL_ORDERS, EVALS, eval_text
from refiner.tui.screens.eval import EvalScreen
from refiner.tui.screens.eval_pair import EvalPairScreen
from refiner.tui.screens.listed import ListedScreen
from refiner.tui.source import Source
from refiner.tui.widgets.bar import Bar
from refiner.tui.widgets.listing import Listing
from refiner.tui.widgets.table import Table

EMPTY = """\
There is no eval yet. In a shell:

    refiner eval run gsm8k:test.jsonl --sample 20 -s vote
    refiner eval run mine.csv --map question=prompt,answer=target

It is shown here while it goes on.
"""


class EvalsScreen(ListedScreen):
    """What the source tells is in `evals`; None before it has told anything."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", "Mark", id="mark", tooltip="Mark an eval, to compare it with another one"),
        Binding("c", "compare", "Compare", id="compare", tooltip="Put two marked evals side by side"),
        Binding("escape", "clear", "Clear", id="clear", tooltip="Drop the filter and the marks", show=False),
    ]
    CSS = """
    EvalsScreen {
        #empty { padding: 1 2; display: none; }
        &.-empty { #empty { display: block; } Listing { display: none; } }
    }
    """

    evals: var[Sequence[EvalLine] | None] = var(None)

    def __init__(self, source: Source) -> None:
        super().__init__()
        self.source = source
        self.listing = Listing("Evals", EVALS, lambda line: line.id, EVAL_ORDERS, eval_text)

    def compose(self) -> ComposeResult:
        yield Bar(self.source, "Evals")
        yield self.listing
        yield Static(EMPTY, id="empty", markup=False)
        yield Footer(show_command_palette=False)

    async def look(self) -> None:
        self.evals = await self.source.evals()

    def watch_evals(self, evals: Sequence[EvalLine] | None) -> None:
        if evals is None:
            return
        live = sum(line.live for line in evals)
        self.query_one(Bar).told = f"{len(evals)}, {live} under way"
        self.listing.rows = evals
        was, now = self.has_class("-empty"), not evals
        self.set_class(now, "-empty")
        if was and not now:
            self.listing.table.focus()

    def action_mark(self) -> None:
        self.listing.table.action_mark()

    def action_compare(self) -> None:
        marked = [line for line in self.listing.rows if line.id in self.listing.table.marked]
        if len(marked) == 2:
            first, second = sorted(marked, key=lambda line: line.created_at)
            self.app.push_screen(EvalPairScreen(self.source, (first.id, second.id)))
        else:
            self.notify(f"mark two evals, each with the space bar: {len(marked)} are marked", severity="warning")

    def action_clear(self) -> None:
        self.listing.clear()

    @on(Table.Opened)
    def _opened(self, event: Table.Opened) -> None:
        self.app.push_screen(EvalScreen(self.source, event.name))
