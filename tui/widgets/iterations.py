"""The iterations of a run as a table."""

from refiner.domain.run_model import Row
from refiner.tui import figures
from refiner.tui.widgets.table import Cell, Column, Tone

MARKS: dict[str, tuple[str, Tone]] = {
    "accepted": ("✓", "good"),
    "rejected": ("✗", "bad"),
    "best": ("★", "good"),
    "live": ("◌", "accent"),
    "open": ("·", "dim"),
}
THROBBER = "◜◝◞◟"


def name_of(row: Row) -> str:
    return f"{row.chain}/{row.index}"


def columns(beat: "list[int]") -> tuple[Column[Row], ...]:
    """beat: the one number in it says how often the throbber has turned."""

    def mark(row: Row) -> Cell:
        sign, tone = MARKS[row.mark]
        return Cell(THROBBER[beat[0] % len(THROBBER)] if row.mark == "live" else sign, tone)

    return (
        Column("", 1, mark),
        Column("step", 5, lambda row: Cell(name_of(row))),
        Column("score", 5, lambda row: Cell(figures.share(row.score)), right=True),
        Column("change", 6, _change, rank=2, right=True),
        Column("tests", 5, lambda row: Cell(f"{row.tests.passed}/{row.tests.total}" if row.tests else ""), right=True),
        Column("cost", 7, lambda row: Cell(figures.dollars(row.usage.cost_usd)), rank=3, right=True),
        Column("verdict", 0, lambda row: Cell(row.verdict, "accent" if row.mark == "live" else "plain")),
    )


def _change(row: Row) -> Cell:
    if not row.change:
        return Cell("" if row.change is None else "=", "dim")
    return Cell(f"{row.change:+.2f}", "good" if row.change > 0 else "bad")
