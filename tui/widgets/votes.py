"""The votes of a run, and what the leader still needs."""

from collections.abc import Iterator, Sequence

from textual.app import RenderResult
from textual.content import Content
from textual.reactive import reactive, var
from textual.widget import Widget

from refiner.domain.harmless import line
from refiner.domain.run import Vote
from refiner.domain.run_model import RunModel

MOST = 4
"""Answers that are shown."""

ROOM = 16
BAR = 12


class Votes(Widget):
    """A bar an answer, all in one line where there is no room; not seen where nothing is voted on."""

    DEFAULT_CSS = """
    Votes {
        height: auto;
        padding: 0 1;
        display: none;
        text-wrap: nowrap;
        text-overflow: ellipsis;
        &.-shown { display: block; }
    }
    """

    model: var[RunModel] = var(RunModel)
    said: reactive[tuple[Sequence[Vote], int | None]] = reactive(((), None), layout=True)

    def watch_model(self, model: RunModel) -> None:
        self.said = model.tally.votes[:MOST] if model.tally else (), model.margin
        self.set_class(sum(vote.voters for vote in self.said[0]) > 1, "-shown")

    def render(self) -> RenderResult:
        votes, margin = self.said
        needed = "the lead is decided" if margin == 0 else f"{margin} more for the lead to hold"
        if self.screen.has_class("-narrow"):
            return Content("  ".join([needed, *(f"{_answer(vote)} ×{vote.voters}" for vote in votes)]))
        return Content("\n").join([*_bars(votes), Content.styled(needed, "$text-muted")])


def _answer(vote: Vote) -> str:
    return line(vote.answer)[:ROOM]


def _bars(votes: Sequence[Vote]) -> Iterator[Content]:
    for vote in votes:
        bar = "█" * round(BAR * vote.weight / votes[0].weight)
        yield Content.assemble(f"{_answer(vote):<{ROOM}} ", (f"{bar:<{BAR}}", "$text-primary"), f" {vote.voters}")
