"""What a run has used of its limits."""

from textual.app import RenderResult
from textual.content import Content
from textual.reactive import reactive, var
from textual.widget import Widget

from refiner.domain.run_model import Gauge, RunModel
from refiner.tui import figures

BAR = 8
"""Characters of a full bar."""

SAID = {
    "calls": lambda used: f"{used:.0f}",
    "tokens": figures.tokens,
    "cost": figures.dollars,
    "time": figures.duration,
}
_SIGNS = {"ok": " ", "warning": "!", "error": "‼"}
_STYLES = {"ok": "$text-primary", "warning": "$text-warning", "error": "$text-error"}


class Gauges(Widget):
    """A line for calls, tokens, cost and time, with a bar where there is a limit; all in one where there is no room."""

    DEFAULT_CSS = """
    Gauges { height: 4; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    model: var[RunModel] = var(RunModel)
    said: reactive[tuple[Gauge, ...]] = reactive(tuple)

    def watch_model(self) -> None:
        self.draw()

    def draw(self) -> None:
        """Look at the clock again."""
        self.said = self.model.gauges(figures.now())

    def render(self) -> RenderResult:
        if self.size.height == 1:
            return Content("  ").join(_short(gauge) for gauge in self.said)
        return Content("\n").join(_line(gauge) for gauge in self.said)


def _used(gauge: Gauge) -> str:
    return figures.UNKNOWN if gauge.used is None else SAID[gauge.name](gauge.used)


def _short(gauge: Gauge) -> Content:
    said = Content(f"{gauge.name} {_used(gauge)}")
    if gauge.share is None:
        return said
    limit = f"/{SAID[gauge.name](gauge.limit or 0)} {_SIGNS[gauge.level]}".rstrip()
    return said + Content.styled(limit, _STYLES[gauge.level])


def _line(gauge: Gauge) -> Content:
    said, used = SAID[gauge.name], _used(gauge)
    if gauge.share is None:
        return Content(f"{gauge.name:<7}{used:>8}")
    full = round(BAR * gauge.share)
    style = _STYLES[gauge.level]
    bar = Content.styled("█" * full, style) + Content.styled("░" * (BAR - full), "$text-muted")
    limit = said(gauge.limit or 0)
    tail = Content.styled(f" {gauge.share:4.0%}{_SIGNS[gauge.level]} of {limit}", style)
    return Content(f"{gauge.name:<7}{used:>8} ") + bar + tail
