"""`refiner serve`: the service, in the foreground."""

from typing import TYPE_CHECKING

import click

from refiner.cli.options import Context, common

if TYPE_CHECKING:
    from refiner.config.sources import Loaded


@click.command()
@click.option("--listen", metavar="HOST:PORT", help="Listen over TCP too, for whoever brings the token.")
@click.option("--queue", metavar="URL", help="Share the runs of this PostgreSQL database with other hosts.")
@common
def serve(context: Context, listen: str | None, queue: str | None) -> None:
    """Keep runs alive: take them from the queue, drive them, and let others look on and steer."""
    from refiner.service.serve import run

    def load() -> "Loaded":
        return context.load({"store.url": queue})

    run(load(), load, listen, shared=queue is not None, quiet=context.quiet, verbose=context.verbose)
