"""From data sets to what a prompt is tuned on, and what its test set says of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from refiner.domain.code import Execution, Outcome
from refiner.domain.errors import UsageError
from refiner.domain.state import RunState, Step
from refiner.domain.task import Kind
from refiner.domain.tuning import Example, Tuning
from refiner.evals.datasets.item import Item
from refiner.evals.datasets.load import chosen
from refiner.evals.statistics import Interval, mcnemar, wilson

SHARES = (0.2, 0.4, 0.4)
"""Of a set, where nothing else is said: TextGrad's 50, 100 and 100 of the 250 items of a task of BIG-Bench Hard."""


def tuning_of(
    items: Sequence[Item], split: Sequence[int] | None = None, *, seed: int = 0, batch: int = 3, epochs: int = 3
) -> Tuning:
    """Items drawn by seed, whatever their order: so many to learn from, to validate with and to test with.

    Raises UsageError for a set that is too small, and for items that are programs or have no right answer.
    """
    for item in items:
        if item.kind is Kind.CODE or item.answer is None:
            wrong = "is about a program" if item.kind is Kind.CODE else "has no right answer"
            raise UsageError(f"{item.id} {wrong}: a prompt is tuned on questions whose answers can be compared")
    train, validation, test = split or [int(len(items) * share) for share in SHARES]
    if not train or train + validation + test > len(items):
        wanted = f"{train}, {validation} and {test}" if split else "a split"
        raise UsageError(f"the data set has {len(items):,} items, too few for {wanted}: give more, or another --split")
    parts, left = list[tuple[Example, ...]](), list(items)
    for size in (test, validation, train):
        drawn = chosen(left, sample=size, seed=seed) if size else ()
        left = [item for item in left if item not in drawn]
        parts.append(tuple(map(_example, drawn)))
    return Tuning(parts[2], parts[1], parts[0], batch, epochs)


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How many items are right, and the 95 % interval of their share (Wilson)."""

    right: int
    of: int

    @property
    def interval(self) -> Interval:
        return wilson(self.right, self.of)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{100 * self.right / self.of:.1f} % (95 % interval {100 * low:.1f} to {100 * high:.1f})"

    def to_json(self) -> dict[str, object]:
        return {"right": self.right, "of": self.of, "accuracy": self.right / self.of, "interval": list(self.interval)}


@dataclass(frozen=True, slots=True)
class Gain:
    """The test set before and after tuning; after is None where the run ended before it was asked again.

    repaired, broken: items that became right, and that were so before. p: of McNemar's exact test.
    """

    before: Accuracy
    after: Accuracy | None = None
    repaired: int = 0
    broken: int = 0

    @property
    def p(self) -> float:
        return mcnemar(self.repaired, self.broken)

    def __str__(self) -> str:
        if self.after is None:
            return f"test accuracy: {self.before} before; the run ended before it was measured again"
        flips = f"{self.repaired} repaired, {self.broken} broken, p = {self.p:.2g}"
        return f"test accuracy: {self.before} before, {self.after} after; {flips}"

    def to_json(self) -> dict[str, object]:
        after = self.after and {"repaired": self.repaired, "broken": self.broken, "p": self.p}
        return {"before": self.before.to_json(), "after": self.after and self.after.to_json(), **(after or {})}


def tested(state: RunState) -> Gain | None:
    """What a run found on its test set; None where it has none, or not yet."""
    steps = state.chain(0).steps
    before = _on_test(steps[0]) if steps else None
    if before is None:
        return None
    after = _on_test(state.answer) if state.answer else None
    if after is None:
        return Gain(_accuracy(before))
    flips = [
        (now.outcome is Outcome.PASSED) - (then.outcome is Outcome.PASSED)
        for then, now in zip(before.cases, after.cases, strict=True)
    ]
    return Gain(_accuracy(before), _accuracy(after), flips.count(1), flips.count(-1))


def _on_test(step: Step) -> Execution | None:
    return step.made[-1] if step.made else None


def _accuracy(execution: Execution) -> Accuracy:
    return Accuracy(execution.passed, execution.total)


def _example(item: Item) -> Example:
    return Example(item.id, item.question, item.kind, item.answer or "", item.options)
