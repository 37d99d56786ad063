"""The prompts, one text file each; a folder of the user's own may override any of them."""

import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from refiner.domain.errors import UsageError

_FIELD = re.compile(r"\{([^{}\n]+)\}")


def fill(template: str, **fields: str) -> str:
    """Put values into `{name}` places in one pass; every other brace, and every brace of a value, stays as it is."""
    return _FIELD.sub(lambda found: fields.get(found[1], found[0]), template)


@lru_cache
def _own(name: str) -> str:
    return files(__name__).joinpath(f"{name}.txt").read_text("utf-8").strip()


def names() -> tuple[str, ...]:
    """The prompts that there are, and that a user may override."""
    found = (entry.name for entry in files(__name__).iterdir())
    return tuple(sorted(name.removesuffix(".txt") for name in found if name.endswith(".txt")))


@dataclass(frozen=True, slots=True)
class Prompts:
    """The prompt texts by name; `folder` holds the user's own NAME.txt files, which come first.

    Raises UsageError when a file of the user's cannot be read as UTF-8.
    """

    folder: Path | None = None

    def __getitem__(self, name: str) -> str:
        override = self.folder / f"{name}.txt" if self.folder else None
        if override is None or not override.is_file():
            return _own(name)
        try:
            return override.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"the prompt {override} cannot be read as UTF-8 text: {error}") from error
