"""What changed between two versions of the answer."""

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static
from textual_diff_view import DiffView

from refiner.domain.harmless import clean
from refiner.domain.run_model import Row, RunModel
from refiner.domain.state import Step
from refiner.domain.task import Kind


class Diff(VerticalScroll):
    """From `base` to the row under the cursor; a base of None is the version that it was made from."""

    DEFAULT_CSS = """
    Diff { Static { padding: 0 1; } DiffView { height: auto; } }
    """

    def __init__(self) -> None:
        super().__init__()
        self.base: str | None = None
        self.split: bool | None = None
        self._shown: object = None

    def compose(self) -> ComposeResult:
        yield Static(markup=False)

    async def show(self, model: RunModel, row: Row | None) -> None:
        """Draw it anew where it is another one."""
        step = row.step if row else None
        before = _before(model, row, self.base)
        shown = (before, step, self.split)
        if shown == self._shown:
            return
        self._shown = shown
        told = self.query_one(Static)
        await self.query(DiffView).remove()
        if step is None:
            told.update("the candidate is still being made" if row else "there is no candidate yet")
        elif before is None or before.candidate.text == step.candidate.text:
            told.update("a first draft: nothing to compare it with" if before is None else "the two are the same")
        else:
            names = [f"{each.candidate.chain}/{each.candidate.index}" for each in (before, step)]
            told.update(f"{names[0]} → {names[1]}")
            kind = model.state.plan.task.kind if model.state.plan else Kind.TEXT
            end = "py" if kind is Kind.CODE else "txt"
            texts = [clean(each.candidate.text) for each in (before, step)]
            view = DiffView(f"{names[0]}.{end}", f"{names[1]}.{end}", *texts, split=bool(self.split))
            view.auto_split = self.split is None
            await view.prepare()
            await self.mount(view)


def _before(model: RunModel, row: Row | None, base: str | None) -> Step | None:
    if row is None:
        return None
    if base is not None:
        return next((each.step for each in model.rows if f"{each.chain}/{each.index}" == base), None)
    earlier = model.state.chain(row.chain).steps[: row.index]
    return next((step for step in reversed(earlier) if step.accepted), None)
