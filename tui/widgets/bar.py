"""The line at the top: where one is, what is looked at, and whether the source still answers."""

from textual.app import RenderResult
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from refiner.domain.harmless import line
from refiner.tui.source import Source


class Bar(Widget):
    """place and told are the screen's words; lost counts down the seconds until the next try."""

    DEFAULT_CSS = """
    Bar {
        dock: top;
        height: 1;
        padding: 0 1;
        background: $panel;
        color: $text;
        &.-lost { background: $error; color: $text; }
        &:ansi { background: ansi_default; text-style: reverse; }
    }
    """

    place: reactive[str] = reactive("")
    told: reactive[str] = reactive("")
    lost: reactive[int | None] = reactive(None)
    source: reactive[str] = reactive("")

    def __init__(self, source: Source, place: str) -> None:
        super().__init__()
        self._source = source
        self.set_reactive(Bar.source, source.name)
        self.set_reactive(Bar.place, place)

    def on_mount(self) -> None:
        self.set_interval(1.0, self._look)

    def _look(self) -> None:
        self.source = self._source.name

    def watch_lost(self, lost: int | None) -> None:
        self.set_class(lost is not None, "-lost")

    def say(self, left: int | None, why: str) -> None:
        """Count down; why the source is lost is told once."""
        if left is not None and self.lost is None:
            self.notify(line(why), severity="warning", markup=False)
        self.lost = left

    def render(self) -> RenderResult:
        state = self.source if self.lost is None else f"lost the {self.source}: trying again in {self.lost} s"
        left = " · ".join(part for part in ("refiner", self.place, line(self.told)) if part)
        right = Content(state)
        room = max(0, self.size.width - right.cell_length - 1)
        return Content.assemble(Content(left).truncate(room, ellipsis=True, pad=True), " ", right)
