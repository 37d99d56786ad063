"""`refiner daemon`: whether the service runs, its end, and how systemd starts it."""

import sys
from typing import TYPE_CHECKING

import click

from refiner.cli import output
from refiner.cli.groups import Noun
from refiner.cli.options import Context, common

if TYPE_CHECKING:
    from refiner.client.client import Client


@click.group(cls=Noun, bare="status")
def daemon() -> None:
    """Ask after the service, end it, or have systemd start it."""


@daemon.command()
@common
def status(context: Context) -> None:
    """Whether the service runs, and what it has to do."""
    client = _client(context)
    said, ready = client.get("/version"), client.get("/readyz")
    told = {"socket": str(context.paths.socket), "pid": said["pid"], "version": said["version"], "runs": ready["live"]}
    if context.json:
        return output.json_line(told)
    return output.text("\n".join(f"{name:<8}{value}" for name, value in told.items()))


@daemon.command()
@common
def stop(context: Context) -> None:
    """Shut the service down; its runs go on at its next start."""
    told = _client(context).post("/v1/shutdown")
    if context.json:
        output.json_line(told)
    context.note("the service ends once its calls under way have")


@daemon.command()
def unit() -> None:
    """Print a systemd user unit that keeps the service running."""
    output.text(
        "# refiner daemon unit > ~/.config/systemd/user/refiner.service\n"
        "# systemctl --user enable --now refiner\n"
        "[Unit]\nDescription=refiner keeps runs alive\n\n"
        f"[Service]\nExecStart={sys.argv[0]} serve\nRestart=on-failure\nKillMode=mixed\nTimeoutStopSec=30\n\n"
        "[Install]\nWantedBy=default.target"
    )


def _client(context: Context) -> "Client":
    from refiner.client.client import Client

    return Client(context.paths.socket)
