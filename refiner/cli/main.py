"""The console script. It imports click alone, so that help and errors are there at once."""

import os
import signal
import sys
import threading
from collections.abc import Sequence

import click

from refiner.cli import errors
from refiner.cli.groups import Program

PARTS = {
    "solve": "Refine one question or one file; the answer on stdout.",
    "tune": "Optimise a prompt on examples; the prompt on stdout.",
    "run": "List, show, compare, resume and remove runs.",
    "eval": "Measure a strategy on a data set, with controls.",
    "replay": "Score other stop, gate and vote rules on what is stored.",
    "ps": "Live runs and the queue.",
    "tui": "The terminal UI: watch, understand and steer.",
    "serve": "The service, in the foreground.",
    "schedule": "What the service does again and again, and when.",
    "daemon": "Ask after the service, end it, have systemd start it.",
    "policy": "List, show and check stop rules.",
    "model": "List models, ask for a price, try one, fetch one.",
    "config": "Show, check and begin settings.",
    "db": "Look after the database.",
    "doctor": "Say what works here: versions, paths, keys, model, database.",
    "completion": "Print the completion script of a shell.",
}


def _version(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"refiner {version('refiner')}")
        ctx.exit()


cli = Program(
    name="refiner",
    help="Make one answer better while it is being asked for.",
    epilog="refiner COMMAND --help says more. RUN is an id, the beginning of one, or @ for the latest.",
    parts=PARTS,
    context_settings={"help_option_names": ["-h", "--help"]},
    params=[
        click.Option(
            ["--version"],
            is_flag=True,
            expose_value=False,
            is_eager=True,
            callback=_version,
            help="Print the version.",
        )
    ],
)


def _terminated(number: int, _frame: object) -> None:
    # An exception here would be lost in a callback, or leave the event loop's threads waiting for ever.
    os._exit(128 + number)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line (the process's own where none is given) and return the exit code.

    A command returns its exit code, or None for 0, and raises RefinerError; nothing else reaches the user but one line.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _terminated)
    flags = words[: words.index("--") if "--" in words else None]
    try:
        code = cli.main(words, prog_name="refiner", standalone_mode=False)
    except (click.Abort, KeyboardInterrupt):
        return errors.INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last door before the user
        return errors.report(error, json="--json" in flags, jsonl="--jsonl" in flags)
    return code if isinstance(code, int) else 0
