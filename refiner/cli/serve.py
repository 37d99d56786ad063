"""`refiner serve`: the service, in the foreground."""

from typing import TYPE_CHECKING

import click

from refiner.cli import errors
from refiner.cli.options import Context, common
from refiner.domain.errors import RefinerError

if TYPE_CHECKING:
    from refiner.config.sources import Loaded


@click.command()
@click.option("--listen", metavar="HOST:PORT", help="Listen over TCP too, for whoever brings the token.")
@common
def serve(context: Context, listen: str | None) -> None:
    """Keep runs alive: take them from the queue, drive them, and let others look on and steer."""
    from refiner.service.serve import run

    def reload() -> "Loaded | None":
        try:
            return context.load()
        except RefinerError as error:
            errors.note(f"error: the settings stay as they were: {error}")
            return None

    run(context.loaded, listen, context.note, reload)
