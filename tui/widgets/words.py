"""A text of a model: shown as it is, and while it is written."""

from textual.content import Content
from textual.events import Resize
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip
from textual.style import Style

from refiner.domain.harmless import clean
from refiner.domain.run_model import MOST_TEXT, Writing

TAIL = 6_000
"""Characters that are drawn of a text whose beginning is lost: all of it would be wrapped anew with every token."""


class Words(ScrollView):
    """Neither markup nor an escape in the text is taken for one.

    Only paragraphs that are new are wrapped, and only lines that are seen are drawn.
    """

    DEFAULT_CSS = """
    Words { padding: 0 1; overflow-x: hidden; scrollbar-gutter: stable; scrollbar-size-vertical: 1; }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._head = self._text = ""
        self._lines: list[Content] = []
        self._whole: tuple[int, int] = 0, 0  # characters of the paragraphs that are at their end, and lines of them
        self._stays = False
        self._end = 0

    def show(self, text: str, head: str = "") -> None:
        """A text that is complete; head: a line above it."""
        self._put(text, head)

    def tail(self, text: str) -> None:
        """A text whose end matters; who looks at its end stays there."""
        self._put(text, "", stay=True)

    def grow(self, writing: Writing, head: str = "") -> None:
        """A text that is being written; who looks at its end stays there."""
        text = writing.text if len(writing.text) < MOST_TEXT else writing.text[-TAIL:]
        self._put(text + "▌", head, stay=True)

    def _put(self, text: str, head: str, *, stay: bool = False) -> None:
        if (text, head) == (self._text, self._head):
            return
        grown = bool(self._lines) and head == self._head and text.startswith(self._text[: self._whole[0]])
        self._head, self._text, self._stays = head, text, stay
        self._wrap(anew=not grown)

    def _wrap(self, *, anew: bool) -> None:
        width = self.scrollable_content_region.width
        if not width:
            return
        if anew:
            head = Content.styled(self._head, "bold").wrap(width) if self._head else []
            self._whole, self._lines = (0, len(head)), head
        characters, first = self._whole
        ended, newline, last = self._text[characters:].rpartition("\n")
        lines = self._lines[:first]
        if newline:
            lines += Content(clean(ended)).wrap(width)
        self._whole = characters + len(ended) + len(newline), len(lines)
        lines += Content(clean(last)).wrap(width) if last else []
        self._lines = lines
        # Set as it is meant to be, it would lay out the whole screen anew with every line.
        self.set_reactive(Words.virtual_size, Size(width, len(lines)))
        self._scroll_update(self.virtual_size)
        self.refresh_lines(0 if anew else first, len(lines) + self.size.height)
        at_end, self._end = self.scroll_y >= self._end - 1, self.max_scroll_y
        if self._stays and at_end:
            self.scroll_end(animate=False, immediate=True)

    def on_resize(self, _: Resize) -> None:
        self._wrap(anew=True)

    def render_line(self, y: int) -> Strip:
        at, width = y + round(self.scroll_y), self.scrollable_content_region.width
        if at >= len(self._lines):
            return Strip.blank(width, self.rich_style)
        line, selection = self._lines[at], self.text_selection
        if selection is not None and (span := selection.get_span(at)) is not None:
            start, end = span
            chosen = Style.from_styles(self.screen.get_component_styles("screen--selection"))
            line = line.stylize(chosen, start, len(line) if end == -1 else end)
        strip = Strip(line.render_segments(self.visual_style), line.cell_length)
        return strip.adjust_cell_length(width, self.rich_style).apply_offsets(0, at)

    def get_selection(self, selection: Selection) -> tuple[str, str]:
        return selection.extract("\n".join(line.plain for line in self._lines)), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        self.refresh()
