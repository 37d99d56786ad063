"""`refiner serve`: the service, in the foreground."""

import click

from refiner.cli.options import Context, common


@click.command()
@click.option("--listen", metavar="HOST:PORT", help="Listen over TCP too, for whoever brings the token.")
@common
def serve(context: Context, listen: str | None) -> None:
    """Keep runs alive: take them from the queue, drive them, and let others look on and steer."""
    from refiner.service.serve import run

    run(context.loaded, context.load, listen, quiet=context.quiet, verbose=context.verbose)
