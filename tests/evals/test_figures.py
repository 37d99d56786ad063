"""The figures of small tables that were worked out by hand, and the laws that hold for any table."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refiner.domain.calls import Usage
from refiner.evals.answers import Answer, Iterate, Outcome, Point
from refiner.evals.curves import frontier
from refiner.evals.figures import figures
from refiner.evals.flips import first_right
from refiner.evals.statistics import holm, mcnemar, wilson


def answer(item: str, arm: str, outcome: Outcome, replicate: int = 0, **more: object) -> Answer:
    return replace(Answer(item, arm, replicate, outcome), **more)  # type: ignore[arg-type]


def table(arms: dict[str, str], subject: str = "") -> list[Answer]:
    """A letter an item: r(ight), w(rong), u(nreadable), f(ailed)."""
    words: dict[str, Outcome] = {"r": "right", "w": "wrong", "u": "unreadable", "f": "failed"}
    return [
        answer(f"q{at}", arm, words[one], subject=subject)
        for arm, letters in arms.items()
        for at, one in enumerate(letters)
    ]


def test_arms_and_comparisons_by_hand() -> None:
    found = figures(table({"ours": "rrrrruwf", "zero-shot": "rwwwwrwr", "same-calls": "rrrrrrww"}), controls=CONTROLS)
    ours = found.arms[0]
    assert (ours.answers, ours.failed, ours.unreadable) == (8, 1, 1)
    assert (ours.accuracy.share, ours.accuracy.interval) == (5 / 7, wilson(5, 7)), "what failed is not wrong"
    zero, same = found.comparisons
    assert (zero.items, zero.unpaired, zero.better, zero.worse, zero.p) == (7, 1, 4, 1, mcnemar(4, 1))
    assert zero.difference is not None
    assert zero.difference.mean == pytest.approx(3 / 7)
    assert (same.better, same.worse, same.p) == (0, 1, 1.0)
    assert [zero.p_corrected, same.p_corrected] == holm([zero.p, same.p])
    assert found.correction == "Holm's, over 2 comparisons"
    assert figures(table({"ours": "rw"})).comparisons == ()


CONTROLS = ("zero-shot", "same-calls")


def test_replicates_of_an_item_are_one_item() -> None:
    every = [answer(f"q{at}", arm, "right" if right else "wrong", replicate)
             for arm, rows in {"ours": ("110", "111", "000", "011"), "zero-shot": ("000", "110", "000", "100")}.items()
             for at, row in enumerate(rows) for replicate, right in enumerate(map(int, row))]  # fmt: skip
    found = figures(every, controls=CONTROLS)
    [one] = found.comparisons
    assert (found.items, found.replicates, one.items, one.better, one.worse) == (4, 3, 4, 3, 0)
    # Gains of 2, 1, 0 and 1 thirds: of the 8 ways of signs only +++ and −−− reach 4.
    assert one.p == 2 / 8
    assert found.arms[0].accuracy.share == pytest.approx(7 / 12)


def test_the_ledger_names_iteration_cause_and_what_the_gate_averted() -> None:
    iterates = (
        Iterate(0, 0, True, "it is the first", right=False),
        Iterate(0, 1, True, "its score 0.50 is above 0.25", right=True),
        Iterate(0, 2, False, "it is empty", right=False),
        Iterate(0, 3, True, "it can be read", right=False),
        Iterate(1, 0, True, "it is the first", right=True),
    )
    found = figures([answer("q", "ours", "right", iterates=iterates, chosen=(1, 0))]).arms[0]
    assert [(one.cause, one.iteration, one.reason, one.repaired, one.broken) for one in found.flips] == [
        ("update", 1, "its score … is above …", 1, 0),
        ("update", 3, "it can be read", 0, 1),
        ("selection", None, "", 1, 0),
        ("rejected", 2, "it is empty", 0, 1),
    ]
    assert (found.repaired, found.broken, found.drafts.share) == (1, 0, 0.0)


STEPS = st.lists(st.tuples(st.integers(0, 2), st.booleans(), st.booleans()), max_size=8)


@given(st.lists(st.tuples(STEPS, st.booleans()), min_size=1, max_size=6))
def test_the_ledger_leads_from_the_drafts_to_the_answers(runs: list[tuple[list[tuple[int, bool, bool]], bool]]) -> None:
    every = []
    for at, (steps, end) in enumerate(runs):
        counts, iterates = {0: 0}, [Iterate(0, 0, accepted=True, reason="", right=at % 2 == 0)]
        for chain, accepted, right in steps:
            index = counts[chain] = counts.get(chain, -1) + 1
            iterates.append(Iterate(chain, index, accepted or index == 0, "", right))
        every.append(
            answer(
                f"q{at}", "a", "right" if end else "wrong", iterates=tuple(iterates), chosen=iterates[-1:] and (0, 0)
            )
        )
    first = [replace(one, iterates=tuple(step for step in one.iterates if step.chain == 0)) for one in every]
    ledger = [one for one in figures(first).arms[0].flips if one.cause != "rejected"]
    gained = sum(one.right for one in every) - sum(bool(first_right(one)) for one in every)
    assert sum(one.repaired - one.broken for one in ledger) == gained


def test_curves_margins_and_visible_tests() -> None:
    def points(*told: tuple[int, bool]) -> tuple[Point, ...]:
        return tuple(Point(Usage(calls, cost_usd=calls / 100), right) for calls, right in told)

    used = [Usage(4, 100, 25, 50, cost_usd=0.04), Usage(3, 100, 75, 50, cost_usd=0.03)]
    every = [
        answer("q0", "ours", "right", usage=used[0], seconds=1.0, points=points((1, False), (3, True)), margin=1.0),
        answer("q1", "ours", "wrong", usage=used[1], seconds=3.0, points=points((2, True)), margin=0.1, visible=True),
    ]
    [arm] = figures(every).arms
    assert [(spot.limit, spot.spent, spot.accuracy) for spot in arm.over["calls"]] == [
        (1, 0.5, 0.0), (2, 1.5, 0.5), (3, 3.0, 0.5), (4, 3.5, 0.5),
    ]  # fmt: skip
    assert [spot.limit for spot in arm.over["cost"]] == pytest.approx([0.01, 0.02, 0.03, 0.04])
    assert [(one.low, one.items, one.accuracy) for one in arm.calibration] == [(0.0, 1, 0.0), (0.8, 1, 1.0)]
    assert (arm.deceived.share, arm.deceived.items) == (1.0, 1)
    assert (arm.cached, arm.mean_calls) == (0.5, 3.5)
    assert arm.per_right == pytest.approx(0.07)
    assert arm.seconds is not None
    assert (arm.seconds.mean, arm.seconds.median, arm.seconds.ninety) == (2.0, 1.0, 3.0)


def test_chains_are_samples() -> None:
    letters = {"q0": "aab", "q1": "bbb"}
    every = [
        answer(item, "sc", "right", gold="a", iterates=tuple(
            Iterate(chain, 0, accepted=True, reason="", right=one == "a", parsed=one) for chain, one in enumerate(row)
        )) for item, row in letters.items()
    ]  # fmt: skip
    # Of q0's pairs aa, ab, ab all hold an a, and ties go to the earlier.
    assert [(one.k, one.passed, one.majority) for one in figures(every).arms[0].at_k] == [
        (1, pytest.approx(1 / 3), pytest.approx(1 / 3)), (2, 0.5, 0.5), (3, 0.5, 0.5),
    ]  # fmt: skip
    lost = replace(every[0].iterates[1], accepted=False, right=False, parsed=None)
    short = replace(every[0], iterates=(every[0].iterates[0], lost))
    assert [(one.passed, one.majority) for one in figures([short]).arms[0].at_k] == [(0.5, 0.5), (1.0, 1.0)]
    programs = [replace(one, gold=None) for one in every]
    assert [(one.passed, one.majority) for one in figures(programs).arms[0].at_k][1:] == [(0.5, None), (0.5, None)]


def test_the_frontier_holds_what_nothing_beats() -> None:
    points = [("dear", 9, 0.8), ("cheap", 1, 0.5), ("dull", 5, 0.5), ("good", 5, 0.7), ("too dear", 9, 0.7)]
    assert frontier(points) == ("dear", "cheap", "good")


def test_figures_are_the_same_to_the_digit_in_any_order_of_the_answers() -> None:
    every = table({"ours": "rrwwrurf", "zero-shot": "rwwrrwrr"}, subject="law")
    shuffled = sorted(every, key=lambda one: (one.arm != "ours", hash(one.item)))
    assert json.dumps(figures(every, CONTROLS).to_json()) == json.dumps(figures(shuffled, CONTROLS).to_json())
