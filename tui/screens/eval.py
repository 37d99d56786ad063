"""One eval: how far it is, what its arms are worth, and every item."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.reactive import var
from textual.widgets import Footer

from refiner.domain.eval_state import EvalState, Gain
from refiner.domain.evals import ARMS, sets
from refiner.tui.evals import ITEM_ORDERS, arms, item_text, items
from refiner.tui.screens.listed import ListedScreen
from refiner.tui.screens.run import RunScreen
from refiner.tui.source import Source
from refiner.tui.widgets.bar import Bar
from refiner.tui.widgets.listing import Listing
from refiner.tui.widgets.progress import Progress
from refiner.tui.widgets.table import Table


class EvalScreen(ListedScreen):
    """What the source tells is in `state`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "app.pop_screen", "Back", id="eval_back", tooltip="Back to the evals; this one goes on"),
        Binding("v", "samples", "Samples", id="samples", tooltip="Open the run of the item's samples, the controls"),
    ]
    CSS = """
    EvalScreen #arms { border-top: solid $panel; border-title-color: $primary; }
    """

    state: var[EvalState | None] = var(None)

    def __init__(self, source: Source, eval: str) -> None:  # noqa: A002
        super().__init__()
        self.source = source
        self.eval = eval
        self._gains: dict[str, Gain] = {}
        self._arms = Table(arms(self._gains), lambda arm: arm.name, id="arms")
        self._arms.can_focus = False
        self.listing = Listing("Items", items(("refined",)), lambda item: item.name, ITEM_ORDERS, item_text)

    def compose(self) -> ComposeResult:
        yield Bar(self.source, f"Eval {self.eval}")
        yield Progress()
        yield self._arms
        yield self.listing
        yield Footer(show_command_palette=False)

    async def look(self) -> None:
        self.state = await self.source.eval_state(self.eval)

    def watch_state(self, state: EvalState | None) -> None:
        if state is None:
            return
        line = state.line
        vote = "" if line.vote == "own" else f", vote {line.vote}"
        self.query_one(Bar).told = f"{line.status} · {sets(line.datasets)} · {line.strategy}{vote} · {line.model}"
        self.query_one(Progress).show(line)
        self._gains.clear()
        self._gains.update({gain.theirs: gain for gain in state.gains})
        corrected = f"; p corrected by {state.correction}" if state.correction else ""
        self._arms.border_title = f"What refined gains on each control{corrected}" if state.gains else "Arms"
        self._arms.styles.height = 2 + len(line.arms or ())
        self._arms.fill(line.arms or ())
        self._arms.refresh()
        self.listing.table.columns = items(ARMS if line.control else ("refined",))
        self.listing.rows = state.items

    def action_samples(self) -> None:
        if item := self.listing.table.row:
            self._open(item.samples, f"{item.name} has no samples yet")

    @on(Table.Opened)
    def _opened(self) -> None:
        if item := self.listing.table.row:
            self._open(item.run, f"{item.name} has not begun, or its run was removed")

    def _open(self, run: str | None, why: str) -> None:
        if run:
            self.app.push_screen(RunScreen(self.source, run))
        else:
            self.notify(why, severity="warning", markup=False)
