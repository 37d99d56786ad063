"""Each rule on the states that it is about, with what it says."""

import pytest

from refiner.domain.calls import Usage
from refiner.domain.run import Stop, StopReason, Verdict
from refiner.domain.run import Tests as Passes
from refiner.policies import (
    Agree,
    AllTests,
    Calls,
    Clean,
    Cost,
    Iterations,
    Patience,
    Policy,
    Similar,
    Target,
    Time,
    Tokens,
)
from tests.policies.states import Move, run

BAD = Move(accepted=False)


def test_iterations_count_updates_and_not_the_draft() -> None:
    assert Iterations(0)(run(), 0) is None
    assert Iterations(0)(run([Move()]), 0) == Stop(StopReason.ITERATIONS, "0 of 0 updates made")
    assert Iterations(1)(run([Move()]), 0) is None
    assert Iterations(1)(run([Move(), BAD]), 0) == Stop(StopReason.ITERATIONS, "1 of 1 update made")
    assert Iterations(1)(run([Move(), BAD]), 1) is None


@pytest.mark.parametrize(
    ("under", "over", "stop"),
    [
        (Calls(3), Calls(2), Stop(StopReason.CALLS, "2 of 2 calls made")),
        (Tokens(301), Tokens(300), Stop(StopReason.TOKENS, "300 of 300 tokens used")),
        (Cost(0.25), Cost(0.2), Stop(StopReason.COST, "$0.2000 of $0.2 spent")),
        (Time(61), Time(60), Stop(StopReason.TIME, "60.0 s of 1m gone")),
    ],
)
def test_budgets_stop_when_they_are_used_up(under: Policy, over: Policy, stop: Stop) -> None:
    state = run([Move()], usage=[Usage(1, 100, 0, 50, 0, 0.1)] * 2, seconds=60)
    assert under(state, 0) is None
    assert over(state, 0) == stop
    assert over(state, 7) == stop


def test_an_unknown_price_is_no_cost() -> None:
    assert Cost(0.01)(run(usage=[Usage(1, cost_usd=None)]), 0) is None


@pytest.mark.parametrize(
    ("moves", "fruitless"),
    [
        ([], 0),
        ([Move()], 0),
        ([BAD], 0),
        ([Move(), BAD], 1),
        ([Move(), BAD, BAD], 2),
        ([Move("1"), Move("2"), BAD], 1),
        ([Move("1"), BAD, Move("2")], 0),
        ([Move("1"), Move("1"), Move("1")], 2),
        ([BAD, Move("2")], 0),
        ([Move(None, text="a"), Move(None, text="b")], 0),
        ([Move(None, text="a"), Move(None, text="a")], 1),
        ([Move("1", score=0.5), Move("2", score=0.5)], 1),
        ([Move("1", score=0.5), Move("2", score=0.6)], 0),
        ([Move("1", score=0.6), Move("2", score=0.5), Move("3", score=0.6)], 2),
        ([Move("1", score=0.5), Move("1", score=0.6)], 0),
        ([Move("1", score=0.5), BAD, Move("9", accepted=None)], 1),
    ],
)
def test_patience_counts_the_last_updates_that_brought_nothing(moves: list[Move], fruitless: int) -> None:
    state = run(moves)
    assert Patience(fruitless + 1)(state, 0) is None
    if fruitless:
        stop = Patience(fruitless)(state, 0)
        assert stop is not None
        assert stop.reason is StopReason.PATIENCE
        assert stop.detail == ("1 update" if fruitless == 1 else f"{fruitless} updates in a row") + " brought nothing"


def test_the_target_is_reached_by_what_was_kept() -> None:
    assert Target(0.9)(run([Move(score=0.8)]), 0) is None
    assert Target(0.9)(run([Move(score=None)]), 0) is None
    assert Target(0.9)(run([Move(score=0.8), Move(score=1.0, accepted=False)]), 0) is None
    assert Target(0.9)(run([Move(score=0.92)]), 0) == Stop(StopReason.TARGET, "a score of 0.92 reaches 0.9")


def test_agreement_is_of_the_last_answers_whether_kept_or_not() -> None:
    assert Agree(2)(run([Move("1")]), 0) is None
    assert Agree(2)(run([Move("1"), Move("2")]), 0) is None
    assert Agree(2)(run([Move("1"), Move("1"), Move("2")]), 0) is None
    assert Agree(2)(run([Move(None), Move(None)]), 0) is None
    assert Agree(3)(run([Move("2"), Move("1"), Move("1")]), 0) is None
    assert Agree(2)(run([Move("2"), Move("1"), Move("1", accepted=False)]), 0) == Stop(
        StopReason.AGREED, 'the last 2 answers are all "1"'
    )
    long = Agree(2)(run([Move("word\n" * 50)] * 2), 0)
    assert long is not None
    assert len(long.detail) < 80


def test_similarity_is_of_the_last_two_that_were_kept() -> None:
    one, other, far = Move(text="a" * 100), Move(text="a" * 98 + "bb"), Move(text="z" * 100)
    assert Similar(0.9)(run([one]), 0) is None
    assert Similar(0.9)(run([one, far]), 0) is None
    assert Similar(0.99)(run([one, other]), 0) is None
    rejected = Move(text="z", accepted=False)
    assert Similar(0.9)(run([one, rejected, other]), 0) == Stop(
        StopReason.CONVERGED, "the last two texts are 0.980 alike, 0.9 is enough"
    )


def test_clean_is_the_critics_word_on_what_was_kept() -> None:
    right = Move(verdict=Verdict.CORRECT)
    assert Clean()(run(), 0) is None
    assert Clean()(run([Move()]), 0) is None
    assert Clean()(run([Move(verdict=Verdict.UNREADABLE)]), 0) is None
    assert Clean()(run([right, Move()]), 0) is None
    assert Clean()(run([Move(), right]), 0) == Stop(
        StopReason.CONVERGED, "the critic finds nothing to change in candidate 1"
    )


def test_tests_have_to_be_there_and_pass() -> None:
    assert AllTests()(run([Move()]), 0) is None
    assert AllTests()(run([Move(tests=Passes(0, 0))]), 0) is None
    assert AllTests()(run([Move(tests=Passes(2, 3))]), 0) is None
    assert AllTests()(run([Move(tests=Passes(3, 3))]), 0) == Stop(StopReason.TESTS_PASS, "3 of 3 tests pass")
