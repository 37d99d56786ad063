"""A text that is put in the place of one of the run's."""

from collections.abc import Callable, Mapping
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Footer, Select, TextArea

from refiner.domain.harmless import clean, line
from refiner.tui.editor import edited

TICK = 1.0
"""Seconds between two looks at how things stand."""


class EditScreen(ModalScreen[tuple[str, str] | None]):
    """The name of a text and what it is to be, None where all is left as it is.

    texts: those of which one may be edited; first: the one to begin with. told: how things stand, a line. veto: the
    text may be struck out, which gives a blank.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "use", "Use it", id="use", tooltip="Put the text in its place"),
        Binding("ctrl+t", "veto", "Veto", id="veto", tooltip="Strike the critique out, and leave the update out"),
        Binding("ctrl+o", "editor", "$EDITOR", id="editor", tooltip="Edit the text in $EDITOR"),
        Binding("escape", "dismiss(None)", "Leave", id="leave", tooltip="Leave the text as it is"),
    ]
    CSS = """
    EditScreen {
        align: center middle;
        #box { width: 95%; height: 90%; border: round $primary; padding: 0 1; }
        Select { width: 24; margin-bottom: 1; }
        TextArea { height: 1fr; border: none; padding: 0; }
    }
    """

    def __init__(
        self, title: str, texts: Mapping[str, str], first: str, told: Callable[[], str] = str, *, veto: bool = False
    ) -> None:
        super().__init__()
        self._title, self._texts, self._on, self._told, self._veto = title, dict(texts), first, told, veto

    def compose(self) -> ComposeResult:
        with Vertical(id="box") as box:
            box.border_title = Content(line(self._title))
            if len(self._texts) > 1:
                names = ((name, name) for name in self._texts)
                choice: Select[str] = Select(names, allow_blank=False, value=self._on, compact=True)
                yield choice
            # A text area draws what it is given: what is not for a terminal is taken out of it.
            yield TextArea(clean(self._texts[self._on]))
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self.query_one(TextArea).focus()
        self._look()
        self.set_interval(TICK, self._look)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return self._veto if action == "veto" else True

    def _look(self) -> None:
        self.query_one("#box").border_subtitle = Content(line(self._told()))

    @on(Select.Changed)
    def _turned(self, event: Select.Changed) -> None:
        area = self.query_one(TextArea)
        self._texts[self._on] = area.text
        self._on = str(event.value)
        area.text = clean(self._texts[self._on])

    def action_use(self) -> None:
        self.dismiss((self._on, self.query_one(TextArea).text))

    def action_veto(self) -> None:
        self.dismiss((self._on, ""))

    def action_editor(self) -> None:
        area = self.query_one(TextArea)
        if (text := edited(self, area.text)) is not None:
            area.text = text
