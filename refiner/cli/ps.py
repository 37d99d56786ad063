"""`refiner ps`: live runs and the queue."""

import click

from refiner.cli import output
from refiner.cli.options import Context, common
from refiner.cli.stored import stored

_SHOWN = ("queued", "running", "paused")


@click.command()
@common
def ps(context: Context) -> None:
    """Live runs, and those that wait for the service."""
    rows = [row for row in stored(context, lambda store: store.runs(10_000)) if row.status in _SHOWN]
    if context.json:
        return output.json_line([row.to_json() for row in rows])
    if not rows:
        return context.note("nothing is running, and nothing waits")
    return output.table(
        ("RUN", "STATE", "TASK", "STRATEGY", "ITERATION", "CALLS", "TOKENS"),
        [(row.id, row.status, row.title, row.strategy, row.iterations, row.calls, row.tokens) for row in rows],
    )
