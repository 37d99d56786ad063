"""The options that commands share, and what they come to."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import click

from refiner.cli import errors

if TYPE_CHECKING:
    from refiner.config.paths import Paths
    from refiner.config.settings import Settings
    from refiner.config.sources import Loaded

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Context:
    """What the shared options of a command say; settings are read when they are first needed."""

    config: Path | None = None
    sets: tuple[str, ...] = ()
    json: bool = False
    quiet: bool = False
    verbose: bool = False
    color: str | None = None

    def load(self, flags: Mapping[str, object] | None = None) -> "Loaded":
        """The settings in force, with the command's own flags on top (None is unsaid)."""
        from refiner.config.sources import load

        return load({**(flags or {}), "color": self.color}, config=self.config, sets=self.sets)

    @cached_property
    def loaded(self) -> "Loaded":
        return self.load()

    @property
    def settings(self) -> "Settings":
        return self.loaded.settings

    @property
    def paths(self) -> "Paths":
        return self.loaded.paths

    def note(self, text: str) -> None:
        """Say something on standard error, unless -q."""
        if not self.quiet:
            errors.note(text)


_OPTIONS = (
    click.option("-c", "--config", type=click.Path(path_type=Path), metavar="FILE", help="Read this settings file."),
    click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Set one setting, such as vote.most=5."),
    click.option("--json", is_flag=True, help="Print JSON."),
    click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors on standard error."),
    click.option("-v", "--verbose", is_flag=True, help="Say more on standard error."),
    click.option("--color", type=click.Choice(["auto", "always", "never"]), help="When to use colours."),
)


def common(command: Callable[Concatenate[Context, P], R]) -> Callable[P, R]:
    """Give a command the shared options; it gets them as a Context before its own parameters."""

    @wraps(command)
    def with_context(*args: Any, **values: Any) -> R:
        shared = {name: values.pop(name) for name in Context.__dataclass_fields__}
        return command(Context(**shared), *args, **values)

    for option in reversed(_OPTIONS):
        option(with_context)
    return with_context
