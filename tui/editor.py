"""The user's own editor, on a text."""

import os
import shlex
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from textual.app import SuspendNotSupported
from textual.dom import DOMNode


def edited(screen: DOMNode, text: str, *, name: str = "text.md", read_only: bool = False) -> str | None:
    """The text as the editor leaves it, while the screen waits; None where there is none, which is told.

    The file is the user's alone, and gone afterwards.
    """
    command = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    app = screen.app
    with TemporaryDirectory(prefix="refiner-") as folder:
        file = Path(folder, name)
        file.write_text(text, encoding="utf-8", errors="backslashreplace")
        if read_only:
            file.chmod(0o400)
        try:
            with app.suspend():
                code = subprocess.run([*command, str(file)], check=False).returncode  # noqa: S603 (it is the user's own)
            if code == 0:
                return file.read_text(encoding="utf-8", errors="replace")
            app.notify(f"{command[0]} ended with {code}: nothing is changed", severity="error", markup=False)
        except SuspendNotSupported:
            app.notify("there is no terminal here for an editor", severity="error", markup=False)
        except (OSError, ValueError) as error:
            app.notify(f"$EDITOR, {command[0]}, cannot be started: {error}", severity="error", markup=False)
    return None
