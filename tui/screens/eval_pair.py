"""Two evals side by side: figures, what the second gains, and the items that both have."""

from collections.abc import Iterator
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.reactive import var
from textual.widgets import Footer

from refiner.domain.eval_state import EvalLine, EvalPair, Gain, Pair
from refiner.domain.evals import ARMS, sets
from refiner.tui import figures
from refiner.tui.comparison import Line, columns
from refiner.tui.evals import (
    CHANGES,
    PAIR_ORDERS,
    accuracy,
    marked,
    pair_text,
    reliable,
    said,
    spread,
)
from refiner.tui.screens.listed import ListedScreen
from refiner.tui.screens.run import RunScreen
from refiner.tui.source import Source
from refiner.tui.widgets.bar import Bar
from refiner.tui.widgets.listing import Listing
from refiner.tui.widgets.table import Cell, Column, Table

GAINS: tuple[Column[Gain], ...] = (
    Column("arm", 11, lambda gain: Cell(gain.ours)),
    Column("gain", 6, lambda gain: Cell(figures.points(gain.difference)), right=True),
    Column("95 %", 14, lambda gain: Cell(spread(gain), "dim"), right=True),
    Column("better", 6, lambda gain: Cell(str(gain.better)), right=True),
    Column("worse", 5, lambda gain: Cell(str(gain.worse)), right=True),
    Column("p", 7, lambda gain: Cell(f"{gain.p_corrected:.2g}"), right=True),
)


def facts(pair: EvalPair) -> tuple[Line, ...]:
    """What is said of each, one below the other."""
    left, right = (dict(_facts(line)) for line in (pair.first, pair.second))
    return tuple(Line(name, left[name], right[name]) for name in left)


def _facts(line: EvalLine) -> Iterator[tuple[str, str]]:
    for name in ARMS:
        arm = line.arm(name)
        yield name, figures.UNKNOWN if accuracy(arm) is None else f"{figures.percent(accuracy(arm))}, {reliable(arm)}"
    refined, used = line.arm("refined"), line.usage
    yield "changed", f"{refined.repaired} repaired, {refined.broken} broken" if refined else figures.UNKNOWN
    yield "strategy", line.strategy if line.vote == "own" else f"{line.strategy}, vote {line.vote}"
    yield "model", line.model
    yield "set", f"{sets(line.datasets)}, {line.items:,} items × {line.replicates}"
    yield "state", f"{line.status}, {line.over:,} of {line.parts:,} runs"
    yield "calls", f"{used.calls:,}"
    yield "tokens", figures.tokens(used.tokens)
    yield "cost", figures.dollars(used.cost_usd)
    yield "time", figures.duration(line.lasted(figures.now()))


class EvalPairScreen(ListedScreen):
    """What the source tells is in `pair`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "app.pop_screen", "Back", id="pair_back", tooltip="Back to the evals"),
        Binding("1", "side(0)", "First's run", id="first_run", tooltip="Open the item's run of the first eval"),
        Binding("2", "side(1)", "Second's run", id="second_run", tooltip="Open that of the second; Enter does too"),
    ]
    CSS = """
    EvalPairScreen {
        #top { layout: horizontal; height: 15; }
        #top > * { width: 1fr; height: 1fr; }
        #top > * { border-top: solid $panel; border-title-color: $primary; }
        &.-narrow #top { layout: vertical; height: 13; }
    }
    """

    pair: var[EvalPair | None] = var(None)

    def __init__(self, source: Source, evals: tuple[str, str]) -> None:
        super().__init__()
        self.source = source
        self.evals = evals
        first, second = evals
        pairs: tuple[Column[Pair], ...] = (
            Column("item", 0, lambda pair: Cell(pair.name)),
            Column(first, 12, lambda pair: said(pair.first, "refined")),
            Column(second, 12, lambda pair: said(pair.second, "refined")),
            Column("change", 8, lambda pair: marked(CHANGES, pair.change)),
            Column("gold", 14, lambda pair: Cell(pair.first.gold or "", "dim"), rank=3),
            Column("first's answer", 0, lambda pair: Cell(pair.first.answer or ""), rank=2),
            Column("second's answer", 0, lambda pair: Cell(pair.second.answer or ""), rank=1),
        )
        self.listing = Listing("Items", pairs, lambda pair: pair.name, PAIR_ORDERS, pair_text)

    def compose(self) -> ComposeResult:
        yield Bar(self.source, f"Compare {self.evals[0]} with {self.evals[1]}")
        with Container(id="top"):
            yield Table(columns(11, *self.evals), lambda line: line.name, id="facts")
            yield Table(GAINS, lambda gain: gain.ours, id="gains")
        yield self.listing
        yield Footer(show_command_palette=False)

    async def look(self) -> None:
        self.pair = await self.source.eval_pair(*self.evals)

    def watch_pair(self, pair: EvalPair | None) -> None:
        if pair is None:
            return
        told = [f"{count:,} {why}" for why, count in pair.unpaired.items()]
        self.query_one(Bar).told = " · ".join([f"{len(pair.pairs):,} items in both", *told])
        self.query_one("#facts", Table).fill(facts(pair))
        gains = self.query_one("#gains", Table)
        corrected = f"; p corrected by {pair.correction}" if pair.correction else ""
        gains.border_title = f"{self.evals[1]} − {self.evals[0]}{corrected}"
        gains.styles.height = 2 + len(pair.gains)
        gains.fill(pair.gains)
        self.listing.rows = pair.pairs

    def action_side(self, side: int) -> None:
        if (pair := self.listing.table.row) is None:
            return
        item = pair.second if side else pair.first
        if item.run:
            self.app.push_screen(RunScreen(self.source, item.run))
        else:
            self.notify(f"{item.name} has no run there", severity="warning", markup=False)

    @on(Table.Opened)
    def _opened(self, event: Table.Opened) -> None:
        if event.table is self.listing.table:
            self.action_side(1)
