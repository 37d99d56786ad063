"""What changed between two versions of the answer."""

from difflib import unified_diff

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from refiner.domain.harmless import clean
from refiner.domain.run_model import Row, RunModel
from refiner.domain.state import Step
from refiner.domain.task import Kind


class Diff(VerticalScroll):
    """From `base` to the row under the cursor; a base of None is what it was made from: a version, or the program."""

    DEFAULT_CSS = """
    Diff { Static { padding: 0 1; } DiffView { height: auto; } }
    """

    def __init__(self) -> None:
        super().__init__()
        self.base: str | None = None
        self.split: bool | None = None
        self._shown: tuple[str, tuple[str, str], tuple[str, str], bool | None] = "", ("", ""), ("", ""), None

    def compose(self) -> ComposeResult:
        yield Static(markup=False)

    async def show(self, model: RunModel, row: Row | None) -> None:
        """Draw it anew where it is another one."""
        step = row.step if row else None
        before = _before(model, row, self.base)
        if step is None:
            await self._draw("the candidate is still being made" if row else "there is no candidate yet")
        elif before is None:
            await self._draw("a first draft: nothing to compare it with")
        else:
            names = tuple(f"{each.candidate.chain}/{each.candidate.index}" for each in (before, step))
            kind = model.state.plan.task.kind if model.state.plan else Kind.TEXT
            await self._draw("", (names[0], names[1]), (before.candidate.text, step.candidate.text), kind)

    async def between(self, runs: tuple[str, str], texts: tuple[str | None, str | None], kind: Kind) -> None:
        """The answers of two runs; None is one that is not there yet."""
        missing = [run for run, text in zip(runs, texts, strict=True) if text is None]
        if missing:
            await self._draw(f"no answer yet: {' and '.join(missing)}")
        else:
            await self._draw("", runs, (texts[0] or "", texts[1] or ""), kind)

    @property
    def text(self) -> str:
        """The same as a unified diff; blank where nothing is compared."""
        _, names, texts, _ = self._shown
        return "\n".join(unified_diff(texts[0].splitlines(), texts[1].splitlines(), *names, lineterm=""))

    def turn(self) -> None:
        """Side by side, unified, or as there is room, in turn."""
        self.split = {None: True, True: False, False: None}[self.split]

    async def _draw(
        self, said: str, names: tuple[str, str] = ("", ""), texts: tuple[str, str] = ("", ""), kind: Kind = Kind.TEXT
    ) -> None:
        shown = (said, names, texts, self.split)
        if shown == self._shown:
            return
        self._shown = shown
        same = texts[0] == texts[1]
        self.query_one(Static).update(said or ("the two are the same" if same else f"{names[0]} → {names[1]}"))
        from textual_diff_view import DiffView  # not before it is needed: it takes time that the first picture has not

        await self.query(DiffView).remove()
        if not same:
            end = "py" if kind is Kind.CODE else "txt"
            files = [f"{name}.{end}" for name in names]
            view = DiffView(*files, *map(clean, texts), split=bool(self.split), annotations=True)
            view.auto_split = self.split is None
            await view.prepare()
            await self.mount(view)


def _before(model: RunModel, row: Row | None, base: str | None) -> Step | None:
    if row is None:
        return None
    if base is not None:
        return next((each.step for each in model.rows if f"{each.chain}/{each.index}" == base), None)
    earlier = model.state.chain(row.chain).steps[: row.index]
    before = next((step for step in reversed(earlier) if step.accepted), None)
    plan = model.state.plan
    if before is None and row.chain and plan and plan.task.program is not None:
        return next(iter(model.state.chain(0).steps), None)
    return before
