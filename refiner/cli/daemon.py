"""`refiner daemon`: whether the service runs, its end, and how systemd starts it."""

import os
import shutil
import sys
from pathlib import Path
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
    for line in ready["missing"]:
        context.note(line)
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
@click.option("--socket", is_flag=True, help="Print the unit of the socket, at whose first request the service starts.")
@common
def unit(context: Context, socket: bool) -> None:
    """Print a systemd user unit that keeps the service running."""
    text = _SOCKET_UNIT.format(socket=_escaped(str(context.paths.socket))) if socket else _service_unit(context)
    if context.json:
        output.json_line({"unit": text})
    else:
        output.text(text)


_SERVICE_UNIT = """\
# refiner daemon unit > ~/.config/systemd/user/refiner.service
# systemctl --user enable --now refiner.service
[Unit]
Description=refiner keeps runs alive

[Service]
Type=notify
ExecStart={command} serve
ExecReload=/bin/kill -HUP $MAINPID
{environment}
Restart=on-failure
RestartPreventExitStatus=2 6
KillMode=mixed
TimeoutStopSec=30

[Install]
WantedBy=default.target"""

_SOCKET_UNIT = """\
# refiner daemon unit --socket > ~/.config/systemd/user/refiner.socket
# systemctl --user enable --now refiner.socket
[Unit]
Description=refiner is started when it is asked

[Socket]
ListenStream={socket}
SocketMode=0600
DirectoryMode=0700

[Install]
WantedBy=sockets.target"""

_MOVES = ("REFINER_HOME", "REFINER_SOCKET")
"""What systemd has to be told, lest the service lies elsewhere than its clients look."""


def _service_unit(context: Context) -> str:
    command = shutil.which("refiner", path=str(Path(sys.executable).parent))
    words = [command] if command else [sys.executable, "-P", "-m", "refiner"]
    moved = [(name, Path(os.environ[name]).expanduser().absolute()) for name in _MOVES if os.environ.get(name)]
    lines = [f"Environment={_quoted(f'{name}={path}')}" for name, path in moved]
    lines.append(f"EnvironmentFile=-{_escaped(str(context.paths.config / 'environment'))}")
    return _SERVICE_UNIT.format(command=" ".join(map(_quoted, words)), environment="\n".join(lines))


def _escaped(value: str) -> str:
    return value.replace("%", "%%")


def _quoted(word: str) -> str:
    """A word as systemd.syntax(7) reads it."""
    plain = _escaped(word).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{plain}"' if set(plain) & set(" \\\"\t';") else plain


def _client(context: Context) -> "Client":
    from refiner.client.client import Client

    return Client(context.paths.socket)
