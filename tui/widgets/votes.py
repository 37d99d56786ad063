"""The votes of a run, and what the leader still needs."""

from textual.app import RenderResult
from textual.content import Content
from textual.reactive import reactive, var
from textual.widget import Widget

from refiner.domain.harmless import line
from refiner.domain.run_model import RunModel

MOST = 4
"""Answers that are shown."""

ROOM = 16
BAR = 12


class Votes(Widget):
    """A bar an answer; not seen where nothing is voted on."""

    DEFAULT_CSS = """
    Votes { height: auto; padding: 0 1; display: none; &.-shown { display: block; } }
    """

    model: var[RunModel] = var(RunModel)
    said: reactive[Content] = reactive(Content, layout=True)

    def watch_model(self, model: RunModel) -> None:
        self.said = _said(model)
        self.set_class(bool(self.said), "-shown")

    def render(self) -> RenderResult:
        return self.said


def _said(model: RunModel) -> Content:
    tally = model.tally
    if tally is None or not tally.votes:
        return Content("")
    most = tally.votes[0].weight
    lines = [
        Content(f"{line(vote.answer)[:ROOM]:<{ROOM}} ")
        + Content.styled(f"{'█' * round(BAR * vote.weight / most):<{BAR}}", "$text-primary")
        + Content(f" {vote.voters}")
        for vote in tally.votes[:MOST]
    ]
    margin = model.margin
    said = "the lead is decided" if margin == 0 else f"{margin} more for the lead to hold"
    return Content("\n").join([*lines, Content.styled(said, "$text-muted")])
