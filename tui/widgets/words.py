"""A text of a model: shown as it is, and while it is written."""

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from refiner.domain.harmless import clean
from refiner.domain.run_model import Writing

TAIL = 6_000
"""Characters that are drawn of a text while it grows: to wrap all of it with every token would take too long."""


class Words(VerticalScroll):
    """Neither markup nor an escape in the text is taken for one."""

    DEFAULT_CSS = """
    Words { padding: 0 1; Static { width: 1fr; } }
    """

    def compose(self) -> ComposeResult:
        yield Static()

    def show(self, text: str, head: str = "") -> None:
        """A text that is complete; head: a line above it."""
        self._update(Content(clean(text)), head)

    def tail(self, text: str) -> None:
        """A text whose end matters; who looks at its end stays there."""
        at_end = self.scroll_y >= self.max_scroll_y - 1
        self._update(Content(clean(text)), "")
        if at_end:
            self.scroll_end(animate=False)

    def grow(self, writing: Writing, head: str = "") -> None:
        """A text that is being written; who looks at its end stays there."""
        at_end = self.scroll_y >= self.max_scroll_y - 1
        self._update(Content(clean(writing.text[-TAIL:])) + Content("▌"), head)
        if at_end:
            self.scroll_end(animate=False)

    def _update(self, text: Content, head: str) -> None:
        title = Content.styled(f"{head}\n", "bold") if head else Content("")
        self.query_one(Static).update(title + text)
