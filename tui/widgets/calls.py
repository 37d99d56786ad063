"""Every prompt and reply of a run, with what it took."""

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical

from refiner.domain.run_model import PHASES, Call, RunModel
from refiner.tui import figures
from refiner.tui.widgets.table import Cell, Column, Table
from refiner.tui.widgets.words import Words

COLUMNS: tuple[Column[Call], ...] = (
    Column("call", 0, lambda call: Cell(name_of(call))),
    Column("for", 9, lambda call: Cell(PHASES[call.role], "dim"), rank=2),
    Column("in", 5, lambda call: Cell(figures.tokens(call.usage.input_tokens) if call.usage else ""), right=True),
    Column("cached", 6, lambda call: Cell("" if call.cached is None else f"{call.cached:.0%}"), rank=1, right=True),
    Column("out", 5, lambda call: Cell(figures.tokens(call.usage.output_tokens) if call.usage else ""), right=True),
    Column("cost", 8, lambda call: Cell(figures.dollars(call.usage.cost_usd) if call.usage else ""), right=True),
    Column("s", 5, lambda call: Cell("" if call.seconds is None else f"{call.seconds:.1f}"), right=True),
    Column("", 4, lambda call: _ended(call)),
)


def name_of(call: Call) -> str:
    return f"{call.key}#{call.attempt}"


def _ended(call: Call) -> Cell:
    if call.error is not None:
        return Cell("✗", "bad")
    return Cell("◌", "accent") if call.reply is None else Cell("✓", "good")


class Calls(Vertical):
    """Above the calls, below the words of the one under the cursor."""

    DEFAULT_CSS = """
    Calls { Table { height: 1fr; } Words { height: 2fr; border-top: solid $panel; } }
    """

    def __init__(self) -> None:
        super().__init__()
        self._told: Call | None = None
        self.text = ""

    def compose(self) -> ComposeResult:
        yield Table(COLUMNS, name_of, id="calls")
        yield Words()

    def show(self, model: RunModel) -> None:
        table: Table[Call] = self.query_one(Table)
        table.fill(tuple(model.calls.values()), follow=True)
        self._tell()

    @on(Table.Moved, "#calls")
    def _tell(self) -> None:
        call: Call | None = self.query_one(Table).row
        if call is self._told:
            return
        self._told = call
        parts = [f"── {message.role}\n{message.text}" for message in call.messages] if call else []
        if call and call.error is not None:
            parts.append(f"── failed\n{call.error}")
        elif call:
            parts.append(f"── reply\n{call.reply.text if call.reply else 'not there yet'}")
        self.text = "\n\n".join(parts)
        self.query_one(Words).show(self.text, call.model if call else "no call yet")
