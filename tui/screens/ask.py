"""A question before something is spent, ended or deleted."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from refiner.domain.harmless import line


class AskScreen(ModalScreen[bool]):
    """Yes or no; Escape is no."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "dismiss(True)", "Yes", id="yes", tooltip="Do it"),
        Binding("n,escape", "dismiss(False)", "No", id="no", tooltip="Leave it as it is"),
    ]
    CSS = """
    AskScreen {
        align: center middle;
        #box { width: 60; max-width: 95%; height: auto; border: round $warning; padding: 0 1; }
        Horizontal { height: auto; align-horizontal: right; margin-top: 1; }
        Button { margin-left: 1; }
    }
    """

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Static(Content(line(self._question)))
            with Horizontal():
                yield Button("yes (y)", id="yes", compact=True)
                yield Button("no (n)", id="no", compact=True)

    def on_mount(self) -> None:
        self.query_one("#no").focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")
