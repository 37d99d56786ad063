"""A table that words narrow and columns order."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.reactive import var
from textual.widgets import Input

from refiner.domain.harmless import line
from refiner.tui.widgets.table import Column, Table

T = TypeVar("T")


class Filter(Input):
    """What rows have to hold; hidden while nothing is."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "drop", "Clear", id="drop", tooltip="Drop the filter"),
    ]
    DEFAULT_CSS = """
    Filter { display: none; padding: 0 1; &.-shown { display: block; } }
    """

    def action_drop(self) -> None:
        self.value = ""
        self.post_message(self.Submitted(self, ""))


class Listing(Vertical, Generic[T]):
    """Rows by their name. orders: of what they may be ordered by; the first is taken. text: where words are looked for.

    title: what the rows are.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", id="filter", tooltip="Show only what holds some words"),
        Binding(
            "S", "sort", "Sort", id="sort", tooltip="Order by the next column; a click on its head does too", show=False
        ),
    ]
    DEFAULT_CSS = """
    Listing { height: 1fr; border-top: solid $panel; border-title-color: $primary; }
    """

    rows: var[Sequence[T]] = var(())
    words: var[str] = var("")
    order: var[str] = var("")

    def __init__(
        self,
        title: str,
        columns: Sequence[Column[T]],
        name_of: Callable[[T], str],
        orders: Mapping[str, Callable[[T], Any]],
        text: Callable[[T], str],
    ) -> None:
        super().__init__()
        self._title, self._orders, self._text = title, orders, text
        # While it is hidden it must not have the focus, which would take the keys of the screen.
        self._words = Filter(placeholder="words that each has to hold", disabled=True, compact=True)
        self.table = Table(columns, name_of)
        self.set_reactive(Listing.order, next(iter(orders)))

    def compose(self) -> ComposeResult:
        yield self._words
        yield self.table

    def watch_rows(self) -> None:
        self._fill()

    def watch_words(self) -> None:
        self._fill()

    def watch_order(self) -> None:
        self._fill()
        self.table.action_go(0)

    def _fill(self) -> None:
        wanted = self.words.casefold().split()
        rows = [row for row in self.rows if all(word in self._text(row).casefold() for word in wanted)]
        rows.sort(key=self._orders[self.order])
        count = f"{len(rows):,} of {len(self.rows):,}" if self.words else f"{len(rows):,}"
        words = f", {line(self.words)!r}" if self.words else ""
        self.border_title = Content(f"{self._title}: {count}, by {self.order}{words}")
        self.table.fill(rows)

    def clear(self) -> None:
        """Drop the filter and the marks."""
        self.table.marked = frozenset()
        self._words.action_drop()

    def action_filter(self) -> None:
        self._words.add_class("-shown")
        self._words.disabled = False
        self._words.focus()

    def action_sort(self) -> None:
        names = list(self._orders)
        self.order = names[(names.index(self.order) + 1) % len(names)]

    @on(Input.Changed)
    def _narrowed(self, event: Input.Changed) -> None:
        self.words = event.value

    @on(Input.Submitted)
    def _left(self) -> None:
        self._words.set_class(bool(self._words.value), "-shown")
        self.table.focus()
        self._words.disabled = not self._words.value

    @on(Table.HeadClicked)
    def _ordered(self, event: Table.HeadClicked) -> None:
        if event.column in self._orders:
            self.order = event.column
