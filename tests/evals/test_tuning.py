"""What a prompt is tuned on, and what its test set says."""

import pytest

from refiner.domain.errors import UsageError
from refiner.domain.task import Kind
from refiner.evals.datasets.item import Item
from refiner.evals.statistics import mcnemar, wilson
from refiner.evals.tuning import Accuracy, Gain, tuning_of

ITEMS = [Item(f"q{number}", f"{number}?", Kind.NUMBER, answer=str(number)) for number in range(250)]


def test_a_set_is_split_by_seed_whatever_its_order_and_no_item_twice() -> None:
    tuning = tuning_of(ITEMS, seed=7)
    parts = [{example.id for example in part} for part in (tuning.train, tuning.validation, tuning.test)]
    assert [len(part) for part in parts] == [50, 100, 100]  # TextGrad's
    assert len(set.union(*parts)) == 250
    again = tuning_of(ITEMS[::-1], seed=7)
    assert [{example.id for example in part} for part in (again.train, again.validation, again.test)] == parts
    assert {example.id for example in tuning_of(ITEMS, seed=8).train} != parts[0]
    assert tuning_of(ITEMS, (7, 2, 3), batch=3, epochs=2).steps == 6


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(UsageError, match="no right answer"):
        tuning_of([Item("q", "?", Kind.TEXT)])
    with pytest.raises(UsageError, match="too few for a split"):
        tuning_of(ITEMS[:4])


def test_the_figures_are_those_of_the_statistics() -> None:
    found = Gain(Accuracy(5, 12), Accuracy(9, 12), 5, 1)
    low, high = wilson(9, 12)
    assert f"75.0 % (95 % interval {100 * low:.1f} to {100 * high:.1f}) after; 5 repaired, 1 broken" in str(found)
    assert found.to_json()["p"] == mcnemar(5, 1)
    assert "before it was measured again" in str(Gain(Accuracy(5, 12)))
