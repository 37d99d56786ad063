"""What is to be solved."""

from dataclasses import dataclass
from enum import StrEnum

from refiner.domain.code import Suite


class Kind(StrEnum):
    """How an answer is read and compared."""

    CHOICE = "choice"
    NUMBER = "number"
    TEXT = "text"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Option:
    """One of the answers that a choice task offers, such as ("B", "Paris")."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Task:
    """A question, its kind and, for a choice, its options in the order they were given.

    program: the code that is to be mended, None where there is only a text. suite: the tests of a code task.
    """

    text: str
    kind: Kind
    options: tuple[Option, ...] = ()
    program: str | None = None
    suite: Suite | None = None

    @property
    def title(self) -> str:
        """The first line that says something, at most 72 characters."""
        line = next((line.strip() for line in self.text.splitlines() if line.strip()), "")
        return line if len(line) <= 72 else line[:71].rstrip() + "…"
