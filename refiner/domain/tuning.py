"""What a prompt is tuned on."""

from dataclasses import dataclass

from refiner.domain.task import Kind, Option


@dataclass(frozen=True, slots=True)
class Example:
    """A question and its right answer, which is a label where there are options."""

    id: str
    question: str
    kind: Kind
    answer: str
    options: tuple[Option, ...] = ()


@dataclass(frozen=True, slots=True)
class Tuning:
    """The examples that a prompt learns from, those that its gate goes by, and those that measure it before and after.

    batch: how many of them a step learns from. epochs: how often each is learnt from.
    """

    train: tuple[Example, ...]
    validation: tuple[Example, ...] = ()
    test: tuple[Example, ...] = ()
    batch: int = 3
    epochs: int = 3

    @property
    def steps(self) -> int:
        """Batches in all."""
        return self.epochs * -(-len(self.train) // self.batch)
