"""The figures against scipy 1.17 and statsmodels 0.15, published ones, brute force, and laws."""

from itertools import combinations, product
from math import comb
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refiner.evals.statistics import (
    calibration,
    holm,
    maj_at_k,
    majority,
    mcnemar,
    paired_bootstrap,
    pass_at_k,
    wilson,
)

BITS = st.lists(st.booleans(), min_size=1, max_size=40)


@pytest.mark.parametrize(
    ("right", "of", "level", "interval"),
    [  # the second to fifth are also in Newcombe 1998, table I
        (292, 401, 0.95, (0.6826226454229114, 0.7694061574894193)),
        (81, 263, 0.95, (0.2552885198782742, 0.36620957698280004)),
        (15, 148, 0.95, (0.0623863995307363, 0.16048724172330803)),
        (0, 20, 0.95, (0.0, 0.16112515805281938)),
        (1, 29, 0.95, (0.006113214292762653, 0.17175521879320288)),
        (20, 20, 0.99, (0.7508945989012465, 1.0)),
        (0, 0, 0.95, (0.0, 1.0)),
    ],
)
def test_wilson(right: int, of: int, level: float, interval: tuple[float, float]) -> None:
    assert wilson(right, of, level) == pytest.approx(interval, abs=1e-12)


@given(st.integers(1, 500).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_wilson_holds_the_share_and_mirrors(counts: tuple[int, int]) -> None:
    right, of = counts
    low, high = wilson(right, of)
    assert 0 <= low <= right / of <= high <= 1
    assert wilson(of - right, of) == pytest.approx((1 - high, 1 - low), abs=1e-12)


@pytest.mark.parametrize(
    ("repaired", "broken", "p"),
    [
        (14, 1, 0.0009765625),
        (14, 2, 0.004180908203125),
        (20, 15, 0.4995598332025112),
        (0, 7, 0.015625),
        (5, 5, 1.0),
        (0, 0, 1.0),
        (300, 250, 0.036578745549102676),
        (3000, 3000, 1.0),
    ],
)
def test_mcnemar(repaired: int, broken: int, p: float) -> None:
    assert mcnemar(repaired, broken) == mcnemar(broken, repaired) == pytest.approx(p, rel=1e-12)


def test_holm() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.02, 0.02, 0.9]) == pytest.approx([0.06, 0.06, 0.9])
    assert holm([0.5, 0.6]) == [1.0, 1.0]


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_lies_between_no_correction_and_bonferroni(ps: list[float]) -> None:
    assert all(p <= one <= min(1, p * len(ps)) or one == max(holm(ps)) for p, one in zip(ps, holm(ps), strict=True))
    ranked = sorted(zip(ps, holm(ps), strict=True))
    assert [one for _, one in ranked] == sorted(one for _, one in ranked)


@given(BITS, st.integers(0, 5))
def test_the_bootstrap_is_reproducible_and_mirrors(ours: list[bool], seed: int) -> None:
    theirs = [not one for one in reversed(ours)]
    found = paired_bootstrap(ours, theirs, draws=60, seed=seed)
    assert found == paired_bootstrap(ours, theirs, draws=60, seed=seed)
    back = paired_bootstrap(theirs, ours, draws=60, seed=seed)
    assert (back.mean, *back.interval) == (-found.mean, -found.interval.high, -found.interval.low)


def test_the_bootstrap_covers_as_theory_says() -> None:
    gains = [1.0] * 14 + [-1.0] + [0.0] * 386
    found = paired_bootstrap(gains, [0.0] * 401)
    assert found.mean == pytest.approx(13 / 401)
    # The normal interval: 13/401 ± 1.96 × 0.00959.
    assert found.interval == pytest.approx((0.0136, 0.0512), abs=0.003)
    assert paired_bootstrap([1, 1], [0, 0]).interval == (1, 1)
    with pytest.raises(ValueError, match="no items"):
        paired_bootstrap([], [])


def test_pass_at_k_is_the_share_of_subsets_that_hold_a_right_one() -> None:
    for samples, right in product(range(1, 7), range(7)):
        if right <= samples:
            marks = [index < right for index in range(samples)]
            for k in range(1, samples + 1):
                assert pass_at_k(samples, right, k) == pytest.approx(fmean(map(any, combinations(marks, k))))
    with pytest.raises(ValueError, match="at least 4"):
        pass_at_k(3, 1, 4)


def test_the_majority_leaves_out_the_unreadable_and_prefers_the_earlier() -> None:
    assert majority(["B", "A", "A", "B", None, None, None]) == "B"
    assert majority([None]) is None


def test_maj_at_k_is_exact_where_it_can_be_and_drawn_where_not() -> None:
    assert maj_at_k(["A", "B", "A"], "A", 1) == pytest.approx(2 / 3)
    assert maj_at_k(["A", "B", "A"], "A", 2) == pytest.approx(2 / 3)  # AB, AA, and BA, where the earlier wins
    assert maj_at_k(["A", "B", "A", None], "A", 4) == 1
    answers = ["A"] * 12 + ["B"] * 8
    exact = sum(comb(12, right) * comb(8, 9 - right) for right in range(5, 10)) / comb(20, 9)
    assert maj_at_k(answers, "A", 9, seed=1) == maj_at_k(answers, "A", 9, seed=1) == pytest.approx(exact, abs=0.04)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=50))
def test_bins_hold_every_item_once(pairs: list[tuple[float, bool]]) -> None:
    bins = calibration([margin for margin, _ in pairs], [right for _, right in pairs])
    assert sum(one.items for one in bins) == len(pairs)
    assert all(one.low - 1e-9 <= one.margin <= one.high + 1e-9 for one in bins)
    assert sum(one.items * one.accuracy for one in bins) == pytest.approx(sum(right for _, right in pairs))
