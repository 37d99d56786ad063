"""What a run has used of its limits."""

from textual.app import RenderResult
from textual.content import Content
from textual.reactive import reactive, var
from textual.widget import Widget

from refiner.domain.run_model import Gauge, RunModel
from refiner.tui import figures

BAR = 10
"""Characters of a full bar."""

SAID = {
    "calls": lambda used: f"{used:.0f}",
    "tokens": figures.tokens,
    "cost": figures.dollars,
    "time": figures.duration,
}
_SIGNS = {"ok": " ", "warning": "!", "error": "‼"}


class Gauges(Widget):
    """A line for calls, tokens, cost and time: a bar where there is a limit."""

    DEFAULT_CSS = """
    Gauges { height: 4; padding: 0 1; }
    """

    model: var[RunModel] = var(RunModel)
    said: reactive[Content] = reactive(Content)

    def watch_model(self) -> None:
        self.draw()

    def draw(self) -> None:
        """Look at the clock again."""
        self.said = Content("\n").join(_line(gauge) for gauge in self.model.gauges(figures.now()))

    def render(self) -> RenderResult:
        return self.said


def _line(gauge: Gauge) -> Content:
    said = SAID[gauge.name]
    used = figures.UNKNOWN if gauge.used is None else said(gauge.used)
    if gauge.share is None:
        return Content(f"{gauge.name:<7}{used:>8}")
    full = round(BAR * gauge.share)
    style = {"ok": "$text-primary", "warning": "$text-warning", "error": "$text-error"}[gauge.level]
    bar = Content.styled("█" * full, style) + Content.styled("░" * (BAR - full), "$text-muted")
    limit = said(gauge.limit or 0)
    tail = Content.styled(f" {gauge.share:4.0%} of {limit} {_SIGNS[gauge.level]}", style)
    return Content(f"{gauge.name:<7}{used:>8} ") + bar + tail
