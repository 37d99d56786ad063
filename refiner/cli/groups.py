"""Groups of commands: the whole program, whose parts are imported when they are called, and the nouns."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem


class Program(click.Group):
    """The outermost group: it knows its commands by a table, and imports the one that is called.

    parts maps a command to the line that help says of it; the command `x` is `refiner.cli.x.x`.
    """

    def __init__(self, *, parts: Mapping[str, str], **attributes: Any) -> None:
        super().__init__(**attributes)
        self._parts = parts

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, args or ([] if ctx.resilient_parsing else ["--help"]))

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._parts)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in self._parts:
            command: click.Command = getattr(import_module(f"refiner.cli.{cmd_name}"), cmd_name)
            return command
        if ctx.resilient_parsing:
            return None
        raise click.NoSuchCommand(cmd_name, possibilities=self._parts, ctx=ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(self._parts.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        parts = [CompletionItem(name, help=line) for name, line in self._parts.items() if name.startswith(incomplete)]
        return parts + click.Command.shell_complete(self, ctx, incomplete)


class Noun(click.Group):
    """A group whose bare noun stands for one of its commands: `refiner run` is `refiner run list`."""

    def __init__(self, *args: Any, bare: str = "list", **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self._bare = bare

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        bare = not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names)
        return super().parse_args(ctx, [self._bare, *args] if bare and not ctx.resilient_parsing else args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # click would break each line off in mid-sentence.
        with formatter.section("Commands"):
            first = {name: (self.commands[name].help or "").partition("\n\n")[0] for name in self.list_commands(ctx)}
            formatter.write_dl([(name, " ".join(text.split())) for name, text in first.items()])
