"""A few fields, each with what is wrong beside it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Label, Static

from refiner.domain.harmless import line


@dataclass(frozen=True)
class Field:
    """read: what a text stands for; it raises ValueError that says what is wanted."""

    name: str
    label: str
    value: str
    read: Callable[[str], Any]


class FieldsScreen(ModalScreen[Mapping[str, Any] | None]):
    """What the fields stand for by their names; None where it is left."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "submit", "Do it", id="submit", tooltip="Take what the fields say; Enter does too"),
        Binding("escape", "dismiss(None)", "Leave", id="leave", tooltip="Change nothing"),
    ]
    CSS = """
    FieldsScreen {
        align: center middle;
        #box { width: 60; max-width: 95%; height: auto; border: round $primary; padding: 0 1; }
        Input { border: none; height: 1; padding: 0; }
        .wrong { color: $text-error; display: none; &.-shown { display: block; } }
    }
    """

    def __init__(self, title: str, fields: Sequence[Field]) -> None:
        super().__init__()
        self._title, self._fields = title, fields

    def compose(self) -> ComposeResult:
        with Vertical(id="box") as box:
            box.border_title = Content(line(self._title))
            box.border_subtitle = "enter: do it, escape: leave"
            for field in self._fields:
                yield Label(field.label)
                yield Input(field.value, id=field.name)
                yield Static(id=f"{field.name}-wrong", classes="wrong", markup=False)

    @on(Input.Submitted)
    def action_submit(self) -> None:
        said: dict[str, Any] = {}
        for field in reversed(self._fields):
            value, wrong = self.query_one(f"#{field.name}", Input), self.query_one(f"#{field.name}-wrong", Static)
            try:
                said[field.name] = field.read(value.value.strip())
            except ValueError as error:
                wrong.update(f"✗ {error}")
                value.focus()
            wrong.set_class(field.name not in said, "-shown")
        if len(said) == len(self._fields):
            self.dismiss(said)
