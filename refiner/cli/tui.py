"""`refiner tui`: the terminal UI, on the service or, without one, on the database."""

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from refiner.cli import output
from refiner.cli.options import Context, common
from refiner.domain.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from refiner.tui.source import Sketch, Source


@click.command()
@click.argument("run", metavar="[RUN]", required=False)
@click.option("--web", is_flag=True, help="Show it in a browser of this machine; print the address to open.")
@click.option("--port", type=click.IntRange(1, 65_535), default=8000, show_default=True, help="Where --web listens.")
@common
def tui(context: Context, run: str | None, web: bool, port: int) -> int:
    """Watch, understand and steer runs; RUN, or the eval of that id, is opened at once. Leaving ends no run."""
    if context.json:
        raise UsageError("the terminal UI prints no JSON: `refiner run list` and `refiner run watch` do")
    if web:
        return _served(context, run, port)
    in_browser = "TEXTUAL_DRIVER" in os.environ  # textual-serve starts it like this
    if not in_browser and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("the terminal UI needs a terminal: `refiner run list` and `refiner run watch` do without")
    if not in_browser and not output.colored(context.color, sys.stdout):
        os.environ["NO_COLOR"] = "1"
    from refiner.tui.app import RefinerApp

    settings = context.settings.tui
    app = RefinerApp(_source(context), theme=settings.theme, keys=settings.keys, run=run)
    app.run()
    return app.return_code or 0


def _served(context: Context, run: str | None, port: int) -> int:
    try:
        from refiner.cli.web import HOST, Guarded
    except ModuleNotFoundError as error:
        raise UsageError("--web needs textual-serve: pip install 'refiner[web]'") from error
    words = [f"--set={each}" for each in context.sets] + ([run] if run else [])
    if context.config:
        words = [f"--config={context.config}", *words]
    try:
        Guarded(words, port).serve()
    except OSError as error:
        raise UsageError(f"cannot listen at {HOST}:{port}: {error.strerror}; --port takes another") from error
    return 0


def _read(sketch: "Sketch") -> "Mapping[str, Any]":
    from refiner.cli.sketching import body_of

    return body_of(sketch)


def _source(context: Context) -> "Source":
    from refiner.cli.looking import Database
    from refiner.client.client import Client
    from refiner.tui.nearest import Nearest
    from refiner.tui.service import Service

    holds = context.settings.tui.hold
    return Nearest(Service(Client(context.paths.socket), _read, holds), Database(context.paths, holds))
