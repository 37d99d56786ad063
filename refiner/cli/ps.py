"""`refiner ps`: live runs and the queue."""

from typing import Any

import click

from refiner.cli import output
from refiner.cli.options import Context, common
from refiner.cli.stored import stored
from refiner.domain.errors import DaemonError

_SHOWN = ("queued", "running", "paused")
_MOST = 10_000


@click.command()
@common
def ps(context: Context) -> None:
    """Live runs, and those that wait for the service."""
    rows = [row for row in _runs(context) if row["status"] in _SHOWN]
    if context.json:
        return output.json_line(rows)
    if not rows:
        return context.note("nothing is running, and nothing waits")
    shown = ("id", "status", "title", "strategy", "iterations", "calls", "tokens")
    return output.table(
        ("RUN", "STATE", "TASK", "STRATEGY", "ITERATION", "CALLS", "TOKENS"),
        [tuple({**row, **row["task"]}[name] for name in shown) for row in rows],
    )


def _runs(context: Context) -> list[dict[str, Any]]:
    """The lines of all runs: from the service, which is quick to ask, or from the store where there is none."""
    from refiner.client.client import Client

    try:
        lines: list[dict[str, Any]] = Client(context.paths.socket).get(f"/v1/runs?limit={_MOST}")
    except DaemonError:
        return [row.to_json() for row in stored(context, lambda store: store.runs(_MOST))]
    return lines
