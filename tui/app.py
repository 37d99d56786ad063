"""The app: its screens, keys and theme."""

import os
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import partial
from typing import ClassVar

from textual import work
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.dom import DOMNode
from textual.keys import KEY_NAME_REPLACEMENTS, Keys, key_to_character
from textual.screen import Screen
from textual.theme import BUILTIN_THEMES

from refiner.domain.errors import RefinerError, UsageError
from refiner.tui.palette import EvalsProvider, RunsProvider
from refiner.tui.screens.ask import AskScreen
from refiner.tui.screens.compare import CompareScreen
from refiner.tui.screens.edit import EditScreen
from refiner.tui.screens.eval import EvalScreen
from refiner.tui.screens.eval_pair import EvalPairScreen
from refiner.tui.screens.evals import EvalsScreen
from refiner.tui.screens.fields import FieldsScreen
from refiner.tui.screens.help import HelpScreen
from refiner.tui.screens.new import NewScreen
from refiner.tui.screens.run import RunScreen
from refiner.tui.screens.runs import RunsScreen
from refiner.tui.screens.service import ServiceScreen
from refiner.tui.source import Source
from refiner.tui.widgets.listing import Filter, Listing
from refiner.tui.widgets.table import Table

PLACES: Mapping[str, type[RunsScreen | ServiceScreen | EvalsScreen]] = {
    "runs": RunsScreen,
    "service": ServiceScreen,
    "evals": EvalsScreen,
}
"""The screens that one can go to from everywhere, each made with the source; a run's own lies on top of one."""


class RefinerApp(App[None]):
    """A client of its source, and of nothing else. run: what is opened at once.

    Raises UsageError for a theme or a key's name that is not there.
    """

    TITLE = "refiner"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012 (Textual declares it so)
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+p,colon", "command_palette", "Go to", id="palette", tooltip="Go anywhere, do anything"),
        *(
            Binding(f"f{number}", f"place('{name}')", name.capitalize(), id=name, tooltip=f"To the {name}", show=False)
            for number, name in enumerate(PLACES, 2)
        ),
        Binding("f1,question_mark", "help", "Help", id="help", tooltip="Every key of this screen"),
        Binding("q,ctrl+q", "quit", "Quit", id="quit", tooltip="Leave; no run is ended by that"),
    ]
    COMMAND_PALETTE_BINDING = "ctrl+p"
    COMMANDS = App.COMMANDS | {RunsProvider, EvalsProvider}

    def __init__(
        self,
        source: Source,
        *,
        theme: str = "textual-dark",
        keys: Mapping[str, str] | None = None,
        run: str | None = None,
    ) -> None:
        # Textual would turn the colours of its own themes into greys; without any there are the terminal's own two.
        plain = "NO_COLOR" in os.environ
        super().__init__(ansi_color=True if plain else None)
        if theme not in BUILTIN_THEMES:
            raise UsageError(f"there is no theme {theme!r}: take one of {', '.join(BUILTIN_THEMES)}")
        known = {binding.id for binding in bindings() if binding.id}
        for name, given in (keys or {}).items():
            if name not in known:
                near = get_close_matches(name, known, n=1)
                raise UsageError(
                    f"tui.keys: nothing is called {name!r}" + (f"; did you mean {near[0]!r}?" if near else "")
                )
            for key in given.split(","):
                if not _is_key(key.strip()):
                    raise UsageError(f"tui.keys.{name}: there is no key {key!r}: they are called q, slash, f5, ctrl+k")
        self.theme = "ansi-dark" if plain else theme
        self.set_keymap(dict(keys or {}))
        self.source = source
        self._first = run

    def on_mount(self) -> None:
        for name, screen in PLACES.items():
            self.add_mode(name, partial(screen, self.source))
        self.switch_mode("runs")
        if self._first is not None:
            self.find_run(self._first)

    def get_system_commands(self, screen: Screen[object]) -> Iterator[SystemCommand]:
        for name in PLACES:
            yield SystemCommand(name.capitalize(), f"Go to {name}", partial(self.switch_mode, name))
        yield from super().get_system_commands(screen)

    def open_run(self, run: str) -> None:
        """Show a run on top of where one is."""
        self.push_screen(RunScreen(self.source, run))

    @work
    async def find_run(self, prefix: str) -> None:
        """Show the run that a prefix, or "@", stands for; an eval's begins with "e-"."""
        try:
            if prefix.startswith("e-"):
                found = (await self.source.eval_state(prefix)).line.id
                await self.switch_mode("evals")
                self.push_screen(EvalScreen(self.source, found))
            else:
                self.open_run(await self.source.find(prefix))
        except RefinerError as error:
            self.notify(str(error), severity="error", markup=False)

    def action_place(self, name: str) -> None:
        self.switch_mode(name)

    def action_help(self) -> None:
        self.push_screen(HelpScreen(self.screen))


def _is_key(name: str) -> bool:
    plain = name.rpartition("+")[2]
    named = {*Keys, *KEY_NAME_REPLACEMENTS.values()}
    return len(plain) == 1 or plain in named or key_to_character(plain) is not None


def bindings() -> Iterator[Binding]:
    """Every key that there is, so that each can be another one in refiner.toml."""
    dialogs = (CompareScreen, HelpScreen, AskScreen, EditScreen, FieldsScreen, NewScreen)
    opened, widgets = (RunScreen, EvalScreen, EvalPairScreen), (Table, Listing, Filter)
    kinds: tuple[type[DOMNode], ...] = (RefinerApp, *PLACES.values(), *opened, *dialogs, *widgets)
    for kind in kinds:
        yield from (binding for binding in kind.BINDINGS if isinstance(binding, Binding))
