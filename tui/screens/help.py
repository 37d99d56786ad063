"""Every key of a screen, read off its bindings."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen, Screen
from textual.widgets import Static


class HelpScreen(ModalScreen[None]):
    """What each key does, and the name by which refiner.toml can give it another one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,f1,question_mark", "dismiss", "Close", id="close", tooltip="Back to where one was")
    ]
    CSS = """
    HelpScreen {
        align: center middle;
        VerticalScroll {
            width: 76; max-width: 95%; height: auto; max-height: 90%;
            border: round $primary; padding: 0 1;
        }
    }
    """

    def __init__(self, of: Screen[object]) -> None:
        super().__init__()
        self._of = of

    def compose(self) -> ComposeResult:
        with VerticalScroll() as box:
            box.border_title = "Keys"
            box.border_subtitle = "[tui.keys] in refiner.toml gives them others"
            yield Static(self._lines())

    def _lines(self) -> Content:
        keys: dict[str, tuple[Binding, list[str]]] = {}
        for active in self._of.active_bindings.values():
            binding = active.binding
            if binding.id is not None:
                keys.setdefault(binding.id, (binding, []))[1].append(self.app.get_key_display(binding))
        lines = [f"{' '.join(shown):<9} {name:<10} {binding.tooltip}" for name, (binding, shown) in keys.items()]
        return Content("\n".join(lines))
