"""How far an eval is, what it took, and what is left of it."""

from collections.abc import Iterator

from textual.app import RenderResult
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from refiner.domain.eval_state import EvalLine
from refiner.domain.harmless import line as harmless
from refiner.tui import figures

BAR = 24
"""Characters of a full bar."""


class Progress(Widget):
    """A bar and a few lines, and one more where something is to be known of an eval."""

    DEFAULT_CSS = """
    Progress { height: auto; padding: 0 1; }
    """

    said: reactive[Content] = reactive(Content, layout=True)

    def show(self, line: EvalLine) -> None:
        self.said = Content("\n").join(_lines(line))

    def render(self) -> RenderResult:
        return self.said


def _lines(line: EvalLine) -> Iterator[Content]:
    share = line.over / line.parts if line.parts else 0.0
    full = int(BAR * share)
    bar = Content.styled("█" * full, "$text-primary") + Content.styled("░" * (BAR - full), "$text-muted")
    refined, samples = line.arm("refined"), line.arm("zero-shot")
    said = f"{share:5.0%} · {line.over:,} of {line.parts:,} runs"
    if (to_go := line.to_go()) and line.over < line.parts:
        seconds, price = to_go
        said += f" · to go {figures.duration(seconds)}{'' if price is None else f', {figures.dollars(price)}'}"
    yield bar + Content(said)
    failed = sum(arm.failed for arm in (refined, samples) if arm)
    told = [f"{failed:,} failed"] if failed else []
    if refined and refined.judged:
        changed = f"{refined.repaired:,} repaired, {refined.broken:,} broken"
        told = [f"{refined.right:,} of {refined.judged:,} right", changed, *told]
    yield Content(", ".join(told) or "no answer yet")
    used, taken = line.usage, figures.duration(line.lasted(figures.now()))
    cost = "cost unknown" if used.cost_usd is None else figures.dollars(used.cost_usd)
    yield Content(f"used {used.calls:,} calls, {figures.tokens(used.tokens)} tokens, {cost}, {taken}")
    if line.status in ("interrupted", "budget", "failed"):
        why = f": {harmless(line.why)}" if line.why else ""
        yield Content.styled(f"{line.status}{why}", "$text-warning")
        yield Content.styled(f"refiner eval run --resume {line.id} goes on", "$text-warning")
    if not line.control:
        without = "no control: nothing says what the same calls do without refinement"
        yield Content.styled(without, "$text-warning")
