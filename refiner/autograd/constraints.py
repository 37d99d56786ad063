"""What a rewrite must obey: rules that are only said, and rules that a program checks."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from refiner.autograd import arguments

_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Constraint:
    """A rule in words, and what checks it.

    check: a pattern that has to be found in the text, or a function that says whether the text obeys: True or None
    when it does, False or a sentence about what is wrong when it does not. An exception of it counts as a violation.
    """

    rule: str
    check: re.Pattern[str] | Callable[[str], bool | str | None]

    def __post_init__(self) -> None:
        arguments.texts(rule=self.rule)
        good = callable(self.check) or isinstance(self.check, re.Pattern)
        arguments.checked(good, "check", self.check, "a function, or re.compile(…)")

    def __str__(self) -> str:
        return self.rule

    def violation(self, text: str) -> str | None:
        """What is wrong with a text, as a clause; None when it obeys."""
        if isinstance(self.check, re.Pattern):
            return None if self.check.search(text) else f'it breaks the rule "{self.rule}"'
        try:
            found = self.check(text)
        except Exception as error:  # noqa: BLE001 - whatever a checker stumbles over is no good text
            found = f"{type(error).__name__}: {error}"
        if found is None or (found and not isinstance(found, str)):  # NumPy's True is another
            return None
        said = f" ({found[:_SHOWN]})" if found else ""
        return f'it breaks the rule "{self.rule}"{said}'


def violations(constraints: Sequence[str | Constraint], text: str) -> Iterator[str]:
    for constraint in constraints:
        if isinstance(constraint, Constraint) and (found := constraint.violation(text)):
            yield found


def changed(old: str, new: str) -> float:
    """How much of a text another one changes: their edit distance as a share of the longer one, 0 to 1."""
    from rapidfuzz.distance import Levenshtein

    return Levenshtein.normalized_distance(old, new)
