"""Votes: who stands behind which answer, and whether the lead will hold."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import comb

from refiner.domain.run import Vote
from refiner.domain.state import Step
from refiner.domain.task import Kind

LONG = 200
"""Characters: a text answer longer than this is compared by nobody, so it has no vote."""

ENOUGH = 0.95
"""How sure a lead has to be for a vote to end early."""

COMPARISON = 2.0
"""Voters that a comparison counts as."""


@dataclass(frozen=True, slots=True)
class Tally:
    """The votes, heaviest first and ties in the order in which answers came, and the step that speaks for each."""

    votes: tuple[Vote, ...]
    steps: tuple[Step, ...]

    @property
    def lead(self) -> tuple[int, int]:
        """Voters of the leading answer and of the next one."""
        voters = [vote.voters for vote in self.votes] + [0, 0]
        return voters[0], voters[1]


def tally(steps: Iterable[Step]) -> Tally:
    """The plain majority: one voter a readable candidate; unreadable ones never vote, ties go to the earlier answer.

    A comparison that prefers a candidate weighs as much as two voters.

    Parsed answers are already one text for one value (the run maps equal ones to the first seen).
    """
    behind: dict[str, list[Step]] = {}
    for step in steps:
        if step.candidate.parsed is not None and step.candidate.problem in (None, "unchanged"):
            behind.setdefault(step.candidate.parsed, []).append(step)
    ranked = sorted(behind.items(), key=lambda item: -_weight(item[1]))
    votes = tuple(Vote(answer, _weight(voters), len(voters)) for answer, voters in ranked)
    return Tally(votes, tuple(_speaker(voters) for _, voters in ranked))


def decided(leader: int, runner_up: int) -> bool:
    """Whether a lead of so many voters will hold: by two, or with probability 0.95 under a Beta posterior.

    1 − I₀.₅(v₁ + 1, v₂ + 1), the chance that the leader is the more frequent of the two (adaptive self-consistency).
    """
    votes = leader + runner_up + 1
    behind = sum(comb(votes, heads) for heads in range(leader + 1, votes + 1)) / 2**votes
    return leader - runner_up >= 2 or 1 - behind >= ENOUGH


def comparable(steps: Sequence[Step], kind: Kind) -> bool:
    """Whether the answers are short enough to agree; long free text and code never do, word for word."""
    if kind is Kind.CODE:
        return False
    return all(step.candidate.parsed is None or len(step.candidate.parsed) <= LONG for step in steps)


def apart(counted: Tally, kind: Kind) -> bool:
    """Whether the answers are texts of which no two agree, so that only a judge can tell which is better."""
    return (
        kind is Kind.TEXT and len(counted.steps) > 1 and (counted.lead == (1, 1) or not comparable(counted.steps, kind))
    )


def _weight(voters: Sequence[Step]) -> float:
    return len(voters) + COMPARISON * sum(step.preferred for step in voters)


def _speaker(voters: Sequence[Step]) -> Step:
    # The first chain shows a choice's options in their own order, so its words need no mapping back.
    return min(voters, key=lambda step: (step.candidate.chain, -step.candidate.index))
