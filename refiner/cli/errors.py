"""The one module that writes to standard error (progress aside): notes, and errors with their exit codes."""

import contextlib
import signal
import sys
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime

import click

from refiner.cli import output
from refiner.domain.errors import RefinerError, UsageError

INTERRUPTED = 130


def note(text: str) -> None:
    """Say something beside the answer, on one line."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            sys.stderr.write(f"refiner: {output.line(text)}\n")
            sys.stderr.flush()


def asked(question: str) -> bool:
    """Ask at the terminal. Anything but y and yes is a no; Ctrl-C raises KeyboardInterrupt."""
    # An event loop would keep Ctrl-C until there is an answer.
    kept = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        sys.stderr.write(f"refiner: {output.line(question)} [y/N] ")
        sys.stderr.flush()
        return sys.stdin.readline().strip().lower() in ("y", "yes")
    finally:
        signal.signal(signal.SIGINT, kept)


def confirm_deletion(names: Sequence[str], *, yes: bool) -> None:
    """Ask at a terminal, unless `yes`, before anything is deleted. Raises UsageError for a no."""
    ask = not yes and sys.stdin is not None and sys.stdin.isatty()
    if ask and not asked(f"delete {', '.join(names)} for good?"):
        raise UsageError("nothing was deleted")


def report(error: Exception, *, json: bool, jsonl: bool) -> int:
    """Say what went wrong, on standard output too where JSON or JSON lines were asked for. Returns the exit code."""
    run = None
    match error:
        case RefinerError():
            code, kind, message, run = error.exit_code, error.kind, str(error), error.run
        case click.ClickException():
            code, kind, message = 2, "usage", _usage(error)
        case _:
            code, kind, message = 1, "internal", _logged(error)
    message = output.line(message)
    note(f"error: {message}")
    if json or jsonl:
        told = {"error": {"kind": kind, "message": message, "run": run}}
        output.json_line({"type": "result", **told} if jsonl else told)
    return code


def _usage(error: click.ClickException) -> str:
    message = error.format_message()
    context = getattr(error, "ctx", None)
    help_of = f" (see {context.command_path} --help)" if context else ""
    return message[:1].lower() + message[1:].rstrip(".") + help_of


def _logged(error: Exception) -> str:
    """Write the traceback to the log, without keys, and say where it lies."""
    from refiner.config.paths import Paths, made
    from refiner.config.secrets import without_keys

    what = without_keys(f"{type(error).__name__}: {error}")
    report = without_keys("".join(traceback.format_exception(error)))
    try:
        log = Paths.find().log
        made(log.parent)
        with log.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {' '.join(sys.argv[1:2])}\n{report}\n")
        log.chmod(0o600)
    except (OSError, RefinerError):
        return f"this is a bug: {what}; no traceback could be logged"
    return f"this is a bug: {what}; the traceback is in {log}"
