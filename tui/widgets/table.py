"""A table of any length: only the lines that are seen are drawn, so ten thousand rows cost what twenty do."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Literal, TypeVar

from rich.cells import set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.events import Click
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive, var
from textual.scroll_view import ScrollView
from textual.strip import Strip

from refiner.domain.harmless import line

Tone = Literal["plain", "good", "bad", "warning", "dim", "accent"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Cell:
    """A text and how it is meant; its words say the same as its colour."""

    text: str
    tone: Tone = "plain"


@dataclass(frozen=True, slots=True)
class Column(Generic[T]):
    """width in characters, 0 takes what is left. rank: columns with the highest go first where there is no room."""

    name: str
    width: int
    cell: Callable[[T], Cell]
    rank: int = 0
    right: bool = False


LEAST = 16
"""Characters that a column without a width needs."""

AGING = 5.0
"""Seconds after which ages are told anew, though no row has changed."""


class Table(ScrollView, Generic[T], can_focus=True):
    """Rows of one kind; each has a name that stays the same while the row changes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", id="up", tooltip="The row above", show=False),
        Binding("down,j", "move(1)", "Down", id="down", tooltip="The row below", show=False),
        Binding("pageup", "page(-1)", "Page up", id="page_up", tooltip="A page up", show=False),
        Binding("pagedown", "page(1)", "Page down", id="page_down", tooltip="A page down", show=False),
        Binding("home,g", "go(0)", "First", id="first", tooltip="The first row", show=False),
        Binding("end,G", "go(-1)", "Last", id="last", tooltip="The last row", show=False),
        Binding("enter", "open", "Open", id="open", tooltip="Open the row under the cursor"),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "table--head",
        "table--cursor",
        "table--good",
        "table--bad",
        "table--warning",
        "table--dim",
        "table--accent",
    }
    DEFAULT_CSS = """
    Table {
        height: 1fr;
        overflow-x: hidden;
        .table--head { text-style: bold; color: $primary; }
        .table--cursor { text-style: bold; background: $surface-lighten-1; }
        .table--good { color: $text-success; }
        .table--bad { color: $text-error; }
        .table--warning { color: $text-warning; }
        .table--dim { color: $text-muted; }
        .table--accent { color: $text-accent; }
        &:focus .table--cursor { text-style: reverse; }
        &:ansi {
            .table--cursor { background: ansi_default; text-style: bold; }
            .table--good { color: ansi_green; }
            .table--bad { color: ansi_red; }
            .table--warning { color: ansi_yellow; }
            .table--dim { color: ansi_bright_black; }
            .table--accent { color: ansi_cyan; }
            &:focus .table--cursor { text-style: reverse; }
        }
    }
    """

    cursor: var[int] = var(0)
    marked: reactive[frozenset[str]] = reactive(frozenset())

    @dataclass
    class Moved(Message):
        """The cursor is on another row."""

        table: "Table[Any]"
        name: str

        @property
        def control(self) -> "Table[Any]":
            return self.table

    @dataclass
    class Opened(Moved):
        """A row was chosen with Enter, or with a second click."""

    @dataclass
    class HeadClicked(Message):
        """The head of a column was clicked."""

        table: "Table[Any]"
        column: str

        @property
        def control(self) -> "Table[Any]":
            return self.table

    def __init__(self, columns: Sequence[Column[T]], name_of: Callable[[T], str], *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.columns = columns
        self._name_of = name_of
        self._rows: Sequence[T] = ()
        self._names: list[str] = []

    def on_mount(self) -> None:
        self.auto_refresh = AGING

    @property
    def rows(self) -> Sequence[T]:
        return self._rows

    @property
    def row(self) -> T | None:
        """The row under the cursor."""
        return self._rows[self.cursor] if self._rows else None

    def fill(self, rows: Sequence[T], *, follow: bool = False) -> None:
        """Show these rows; the cursor stays on the row that it is on. follow: on the last row it stays on the last."""
        if rows == self._rows:
            return
        at_end = not self._rows or self.cursor == len(self._rows) - 1
        on = self._names[self.cursor] if self._rows else None
        self._rows, self._names = rows, [self._name_of(row) for row in rows]
        self.virtual_size = Size(0, len(rows) + 1)
        if follow and at_end:
            self._put(len(rows) - 1)
        elif on is not None and on in self._names:
            self._put(self._names.index(on))
        else:
            self._put(self.cursor)
        self.refresh()

    def select(self, name: str) -> None:
        """Put the cursor on the row of that name, if it is there."""
        if name in self._names:
            self._put(self._names.index(name))

    def action_move(self, by: int) -> None:
        self._put(self.cursor + by)

    def action_page(self, by: int) -> None:
        self._put(self.cursor + by * max(1, self.scrollable_content_region.height - 2))

    def action_go(self, to: int) -> None:
        self._put(len(self._rows) - 1 if to < 0 else to)

    def action_open(self) -> None:
        if self._rows:
            self.post_message(self.Opened(self, self._names[self.cursor]))

    def action_mark(self) -> None:
        """Mark the row under the cursor, or take its mark away, and go on to the next."""
        if self._rows:
            self.marked ^= {self._names[self.cursor]}
            self.action_move(1)

    def on_resize(self) -> None:
        self._put(self.cursor)

    def on_click(self, event: Click) -> None:
        at = event.get_content_offset(self)
        if at is None:
            return
        if at.y == 0:
            left = 0
            for column, width in self._widths(self.scrollable_content_region.width):
                if left <= at.x < left + width:
                    self.post_message(self.HeadClicked(self, column.name))
                left += width + 1
        elif (row := round(self.scroll_y) + at.y - 1) < len(self._rows):
            again = row == self.cursor
            self._put(row)
            if again:
                self.action_open()

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        widths = self._widths(width)
        if y == 0:
            style, cells = self._style("head"), [Cell(column.name) for column, _ in widths]
            return self._strip(widths, cells, style, width)
        at = round(self.scroll_y) + y - 1
        if at >= len(self._rows):
            return Strip.blank(width, self.rich_style)
        row = self._rows[at]
        style = self._style("cursor") if at == self.cursor else self.rich_style
        return self._strip(widths, [column.cell(row) for column, _ in widths], style, width, self._names[at])

    def _strip(
        self,
        widths: Sequence[tuple[Column[T], int]],
        cells: Sequence[Cell],
        style: Style,
        width: int,
        name: str | None = None,
    ) -> Strip:
        segments = [Segment("▌" if name in self.marked else " ", style)]
        for (column, room), cell in zip(widths, cells, strict=True):
            toned = (
                style if cell.tone == "plain" or style.reverse else style + Style(color=self._style(cell.tone).color)
            )
            segments += [Segment(_fitted(line(cell.text), room, right=column.right), toned), Segment(" ", style)]
        return Strip(segments).adjust_cell_length(width, style)

    def _widths(self, width: int) -> list[tuple[Column[T], int]]:
        """The columns that there is room for, and how wide each is."""
        shown = list(self.columns)
        while len(shown) > 1 and sum(1 + (column.width or LEAST) for column in shown) > width - 1:
            shown.remove(max(shown, key=lambda column: column.rank))
        left = width - 1 - sum(1 + column.width for column in shown)
        open_ = [column for column in shown if not column.width]
        return [(column, column.width or max(1, left // len(open_))) for column in shown]

    def _style(self, tone: str) -> Style:
        return self.get_component_rich_style(f"table--{tone}")

    def _put(self, at: int) -> None:
        at = max(0, min(at, len(self._rows) - 1))
        before, self.cursor = self.cursor, at
        top, height = round(self.scroll_y), max(1, self.scrollable_content_region.height - 1)
        if at < top:
            self.scroll_to(y=at, animate=False, force=True)
        elif at >= top + height:
            self.scroll_to(y=at - height + 1, animate=False, force=True)
        self.refresh_lines(before + 1)
        self.refresh_lines(at + 1)
        if self._rows and before != at:
            self.post_message(self.Moved(self, self._names[at]))


def _fitted(text: str, width: int, *, right: bool) -> str:
    cut = text if len(text) <= width else text[: max(0, width - 1)] + "…"
    return set_cell_size(cut.rjust(width) if right else cut, width)
