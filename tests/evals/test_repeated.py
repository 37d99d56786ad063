"""Figures over replicates, against hand-made tables, brute force, and the figures of single answers."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refiner.evals.repeated import gains, kappa, pooled, sign_flip
from refiner.evals.statistics import mcnemar, wilson

GROUPS = st.lists(st.lists(st.booleans(), min_size=1, max_size=4), min_size=1, max_size=30)


@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_one_replicate_is_wilson(rights: list[bool]) -> None:
    single = pooled([one] for one in rights)
    assert (single.share, single.interval) == (sum(rights) / len(rights), wilson(sum(rights), len(rights)))
    copies = pooled([one] * 3 for one in rights)
    assert copies.interval == pytest.approx(single.interval), "three copies of an answer say no more than one"


@given(GROUPS)
def test_the_interval_lies_between_that_of_the_items_and_that_of_the_answers(groups: list[list[bool]]) -> None:
    found = pooled(groups)
    assert found.share is not None
    widths = [wilson(found.share * size, size) for size in (found.answers, found.items)]
    narrow, wide = (high - low for low, high in widths)
    assert narrow - 1e-9 <= found.interval.high - found.interval.low <= wide + 1e-9


def test_pooled_by_hand() -> None:
    # Shares 1, 1/2, 0, 1/2: mean 1/2, variance 1/8, so 4 · 1/4 / (1/8) = 8 answers of 8.
    found = pooled([[True, True], [True, False], [False, False], [False, True]])
    assert (found.share, found.interval, found.items, found.answers) == (0.5, wilson(4, 8), 4, 8)
    # Shares 1, 1, 0, 1/2: mean 5/8, variance 11/64, so 4 · 15/64 / (11/64) = 60/11 answers.
    found = pooled([[True, True], [True], [False], [False, True]])
    assert found.interval == pytest.approx(wilson(5 / 8 * 60 / 11, 60 / 11))
    assert pooled([[], []]).share is None


@given(st.lists(st.sampled_from((-1, 0, 1)), max_size=60))
def test_one_replicate_is_mcnemar(gained: list[int]) -> None:
    assert sign_flip(gained) == mcnemar(gained.count(1), gained.count(-1))


@given(st.lists(st.integers(-6, 6), max_size=9))
def test_sign_flip_is_the_share_of_all_signs(gained: list[int]) -> None:
    sums = [sum(map(int.__mul__, gained, signs)) for signs in product((1, -1), repeat=len(gained))]
    far = sum(abs(one) >= abs(sum(gained)) for one in sums)
    assert sign_flip(gained) == pytest.approx(far / len(sums), rel=1e-12)


def test_gains_are_whole() -> None:
    assert gains([[True, False], [True]], [[False], [True, True, False]]) == [3, 2]


def test_kappa() -> None:
    # Cohen's own arithmetic: 20 + 15 of 50 agree, chance is (25·30 + 25·20) / 50² = 1/2.
    first, second = ["y"] * 25 + ["n"] * 25, ["y"] * 20 + ["n"] * 5 + ["y"] * 10 + ["n"] * 15
    assert kappa(first, second) == pytest.approx(0.4)
    assert kappa(["y", "y"], ["y", "y"]) is kappa([], []) is None
