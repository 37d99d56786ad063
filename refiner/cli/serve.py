"""`refiner serve`: the service, in the foreground."""

import click

from refiner.cli.options import Context, common


@click.command()
@common
def serve(context: Context) -> None:
    """Keep runs alive: take them from the queue, drive them, and let others look on and steer."""
    from refiner.service.serve import run

    context.note(f"listening at {context.paths.socket}; Ctrl-C ends it, and its runs go on at the next start")
    run(context.loaded)
