"""Two evals item by item."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from refiner.domain.errors import UsageError
from refiner.domain.evals import ARMS, EvalRow, Results
from refiner.evals.figures import DRAWS, Comparison, compare, corrected, correction
from refiner.evals.reading import answers

SCHEMA = "refiner.eval-compare/1"


@dataclass(frozen=True, slots=True)
class Compared:
    """What the second eval gains on the first, arm by arm.

    only_first, only_second, changed: the ids of items that are not paired; of changed ones the content is another.
    """

    first: EvalRow
    second: EvalRow
    items: int
    comparisons: tuple[Comparison, ...]
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]
    changed: tuple[str, ...]

    @property
    def unpaired(self) -> Mapping[str, Sequence[str]]:
        """The ids of items that are not paired, by why."""
        found = {
            f"only in {self.first.id}": self.only_first,
            f"only in {self.second.id}": self.only_second,
            "of one id but another content": self.changed,
        }
        return {why: ids for why, ids in found.items() if ids}

    @property
    def correction(self) -> str:
        return correction(len(self.comparisons))

    def to_json(self) -> dict[str, Any]:
        """The object of `eval compare --json`."""
        return {
            "schema": SCHEMA,
            "a": self.first.id,
            "b": self.second.id,
            "items": self.items,
            "comparisons": [{"arm": one.ours, **asdict(one)} for one in self.comparisons],
            "correction": self.correction,
            "unpaired": {"a": self.only_first, "b": self.only_second, "changed": self.changed},
        }


def compared(first: Results, second: Results, seed: int = 0, *, most: int = DRAWS) -> Compared:
    """The second eval against the first, on the items that both have. Raises UsageError where there is none.

    most: resamples.
    """
    mine, other = ({one.item.id: one.item.digest for one in results.answered} for results in (first, second))
    changed = {item for item in mine.keys() & other.keys() if mine[item] != other[item]}
    both = (mine.keys() & other.keys()) - changed
    if not both:
        raise UsageError(f"{first.eval.id} and {second.eval.id} have no item in common: they cannot be compared")
    before, after = ([one for one in answers(results) if one.item in both] for results in (first, second))
    found = []
    for arm in ARMS:
        ours, theirs = ([one for one in every if one.arm == arm] for every in (after, before))
        pair = compare(arm, ours, arm, theirs, seed, most=most)
        if pair.items:
            found.append(pair)
    if not found:
        raise UsageError(
            f"no arm of {first.eval.id} and {second.eval.id} has an answer to the same item that is right or wrong: "
            "they cannot be compared"
        )
    return Compared(
        first.eval,
        second.eval,
        len(both),
        corrected(found),
        tuple(item for item in mine if item not in other),
        tuple(item for item in other if item not in mine),
        tuple(item for item in mine if item in changed),
    )
