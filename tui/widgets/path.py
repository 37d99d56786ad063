"""A file's name, which completes as one types it."""

from pathlib import Path

import anyio
from textual.suggester import Suggester
from textual.widgets import Input

MOST = 2_000
"""Names of a folder that are looked at."""


class PathInput(Input):
    """Right, at the end, takes what is offered."""

    def __init__(self, *, id: str, placeholder: str = "") -> None:  # noqa: A002
        super().__init__(id=id, placeholder=placeholder, suggester=_Files(use_cache=False, case_sensitive=True))


class _Files(Suggester):
    async def get_suggestion(self, value: str) -> str | None:
        return await anyio.to_thread.run_sync(completed, value)


def completed(value: str) -> str | None:
    """The first name, in order, that the text is the beginning of; a folder's ends in a slash."""
    head, slash, start = value.rpartition("/")
    if not value.strip():
        return None
    try:
        folder = Path(head + slash or ".").expanduser()
        names = [entry for _, entry in zip(range(MOST), folder.iterdir(), strict=False)]
        found = sorted(
            entry.name + "/" * entry.is_dir()
            for entry in names
            if entry.name.startswith(start) and (start or not entry.name.startswith("."))
        )
    except (OSError, ValueError, RuntimeError):
        return None
    return head + slash + found[0] if found else None
