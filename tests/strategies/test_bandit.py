"""The choice of a move: repeatable, and drawn to what has paid."""

from hypothesis import given
from hypothesis import strategies as st

from refiner.strategies.bandit import Belief, believed, choose

scores = st.lists(st.floats(0, 1), max_size=8)


@given(scores)
def test_every_trial_counts_once(seen: list[float]) -> None:
    belief = believed(Belief(2, 1), seen)
    assert abs(belief.paid + belief.lost - (3 + len(seen))) < 1e-9
    assert min(belief.paid, belief.lost) >= 1


@given(scores, st.text(max_size=5))
def test_the_same_seed_chooses_the_same_move(seen: list[float], seed: str) -> None:
    moves = {"wider": believed(Belief(), seen), "deeper": Belief()}
    assert choose(moves, seed) == choose(dict(moves), seed)


def test_what_has_paid_is_chosen_more_often_and_the_other_still_sometimes() -> None:
    moves = {"paid": believed(Belief(), [1.0] * 3), "lost": believed(Belief(), [0.0] * 3)}
    chosen = [choose(moves, str(number)) for number in range(400)]
    assert 0.8 * 400 < chosen.count("paid") < 400
