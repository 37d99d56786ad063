"""Wider or deeper: which move to make next, by what each kind of move has paid so far (AB-MCTS, 2503.04412)."""

import random
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

M = TypeVar("M", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Belief:
    """A Beta distribution over what a move pays, from 0 to 1; paid and lost count as so many trials."""

    paid: float = 1.0
    lost: float = 1.0

    def after(self, score: float) -> "Belief":
        """The belief after one more trial that came to a score."""
        return Belief(self.paid + score, self.lost + 1.0 - score)


def choose(moves: Mapping[M, Belief], seed: str) -> M:
    """The move whose sample is highest (Thompson sampling); the same seed and beliefs give the same move."""
    source = random.Random(seed)  # noqa: S311
    samples = {move: source.betavariate(belief.paid, belief.lost) for move, belief in moves.items()}
    return max(samples, key=lambda move: samples[move])


def believed(prior: Belief, scores: Sequence[float]) -> Belief:
    """The prior after all scores."""
    for score in scores:
        prior = prior.after(score)
    return prior
