"""The form of a new run: what it will cost is told before anything is spent."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields
from typing import Any, ClassVar

import anyio
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.css.query import NoMatches
from textual.screen import ModalScreen
from textual.widgets import Footer, Input, Label, Select, Static, TextArea

from refiner.domain.errors import RefinerError
from refiner.domain.harmless import clean
from refiner.tui import figures
from refiner.tui.screens.ask import AskScreen
from refiner.tui.source import FormError, Sketch, Source
from refiner.tui.widgets.path import PathInput

PAUSE = 0.4
"""Seconds after the last key until the cost is asked for."""

STRATEGIES = ("auto", "textgrad", "refine", "vote", "compare", "repair", "fuse")


class NewScreen(ModalScreen[str | None]):
    """The id of the run that it begins, None where it is left."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "start", "Start", id="start", tooltip="Begin the run; above confirm_above it asks first"),
        Binding("escape", "dismiss(None)", "Leave", id="leave", tooltip="Begin nothing"),
    ]
    CSS = """
    NewScreen {
        align: center middle;
        #box { width: 95%; max-width: 100; height: auto; max-height: 95%; border: round $primary; padding: 0 1; }
        TextArea { height: 5; border: none; padding: 0; margin: 0; }
        Horizontal { height: auto; }
        Label { width: 10; }
        Input { border: none; height: 1; padding: 0; width: 1fr; }
        Select { width: 24; }
        .wrong { color: $text-error; display: none; &.-shown { display: block; } }
        #plan { margin-top: 1; min-height: 4; &.-wrong { color: $text-error; } }
    }
    """

    def __init__(self, source: Source) -> None:
        super().__init__()
        self.source = source

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="box", can_focus=False) as box:
            box.border_title = "A new run"
            yield TextArea(
                id="task", placeholder="The task: a question, or what to do with the file", tab_behavior="focus"
            )
            yield _wrong("task")
            yield from self._row("file", PathInput(id="file", placeholder="a program to mend, or a text; → completes"))
            yield from self._row("tests", PathInput(id="tests", placeholder="pytest or plain asserts, for a program"))
            choice: Select[str] = Select(
                ((name, name) for name in STRATEGIES), allow_blank=False, value="auto", id="strategy", compact=True
            )
            yield from self._row("strategy", choice)
            yield from self._row(
                "model", Input(id="model", placeholder="the service's own; openai:…, anthropic:…, local")
            )
            yield from self._row("calls", Input(id="calls", placeholder="at the most, such as 20"))
            yield from self._row("cost", Input(id="cost", placeholder="US dollars at the most, such as 0.50"))
            yield Static(id="plan", markup=False)
        yield Footer(show_command_palette=False)

    def _row(self, name: str, widget: Input | Select[str]) -> ComposeResult:
        with Horizontal():
            yield Label(name)
            yield widget
        yield _wrong(name)

    def on_mount(self) -> None:
        self.query_one(TextArea).focus()
        self.forecast()

    @property
    def sketch(self) -> Sketch:
        said = {
            field.name: self.query_one(f"#{field.name}", Input).value.strip()
            for field in fields(Sketch)
            if field.name not in ("task", "strategy")
        }
        strategy: Select[str] = self.query_one("#strategy", Select)
        return Sketch(task=self.query_one(TextArea).text, strategy=str(strategy.value), **said)

    @on(Input.Changed)
    @on(TextArea.Changed)
    @on(Select.Changed)
    def _changed(self) -> None:
        self.forecast(PAUSE)

    @work(exclusive=True, group="plan")
    async def forecast(self, pause: float = 0.0) -> None:
        """Tell what it will cost, or what is wrong."""
        await anyio.sleep(pause)
        with suppress(NoMatches):  # the form may be left meanwhile
            if self.sketch.task.strip() or self.sketch.file or not pause:
                await self._planned(quiet=not pause)

    async def _planned(self, *, quiet: bool = False) -> tuple[Mapping[str, Any], Mapping[str, Any]] | None:
        """The body and its plan, which is shown; None where a field is wrong. quiet: of an empty form."""
        plan, wrong = self.query_one("#plan", Static), ("", "")
        told: tuple[Mapping[str, Any], Mapping[str, Any]] | None = None
        try:
            body = await self.source.sketched(self.sketch)
            told = body, await self.source.plan(body)
            plan.update(Content(clean(_said(told[1]))))
        except FormError as error:
            wrong = (error.field, str(error))
            plan.update("")
        except RefinerError as error:
            wrong = ("plan", "")
            plan.update(f"✗ {clean(str(error))}")
        plan.set_class(wrong[0] == "plan", "-wrong")
        for field in fields(Sketch):
            label = self.query_one(f"#{field.name}-wrong", Static)
            shown = field.name == wrong[0] and not quiet
            label.set_class(shown, "-shown")
            if shown:
                label.update(f"✗ {clean(wrong[1])}")
                label.scroll_visible()
        return told

    @work(exclusive=True, group="start")
    async def action_start(self) -> None:
        self.workers.cancel_group(self, "plan")
        if (told := await self._planned()) is None:
            return
        body, plan = told
        most = plan["most"]["cost_usd"]
        if most is not None and most > plan["confirm_above"]:
            question = f"It may cost up to ${most:.2f}, more than confirm_above (${plan['confirm_above']:.2f}). Begin?"
            if not await self.app.push_screen_wait(AskScreen(question)):
                return
        try:
            run = await self.source.submit(body)
        except RefinerError as error:
            self.notify(str(error), severity="error", markup=False)
        else:
            self.dismiss(run)


def _wrong(name: str) -> Static:
    return Static(id=f"{name}-wrong", classes="wrong", markup=False)


def _said(plan: Mapping[str, Any]) -> str:
    task, models = plan["task"], plan["models"]
    lines = [f"{task['kind']}, {plan['strategy']}, {models['answer']}; until {plan['until']}"]
    for name in ("least", "expected", "most"):
        usage = plan[name]
        tokens = figures.tokens(usage["input_tokens"] + usage["output_tokens"])
        lines.append(f"{name:<9} {usage['calls']:>4} calls  {tokens:>6} tokens  {figures.dollars(usage['cost_usd'])}")
    return "\n".join(lines)
