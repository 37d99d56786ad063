"""From the candidates of a run to its answer: a vote where answers can be compared, else the best that is known."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import comb
from typing import Literal

from refiner.domain.code import Outcome
from refiner.domain.events import Selected
from refiner.domain.run import Stop, StopReason, Verdict, Vote
from refiner.domain.state import RunState, Step
from refiner.domain.task import Kind

LONG = 200
"""Characters: a text answer longer than this is compared by nobody, so it has no vote."""

ENOUGH = 0.95
"""How sure a lead has to be for a vote to end early."""


COMPARISON = 2.0
"""Voters that a comparison counts as."""

Voters = Literal["iterates", "finals", "nobody"]
"""Who votes on the answer: every accepted candidate, each chain's last one, or none."""


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


def outcome(counted: Tally, answers: int) -> Stop:
    """How a vote over so many answers ended."""
    leader, runner_up = counted.lead
    if not leader:
        return Stop(StopReason.VOTE_DECIDED, f"none of {answers} answers can be read")
    if leader == answers:
        return Stop(StopReason.AGREED, f"all {answers} answers agree")
    return Stop(StopReason.VOTE_DECIDED, f"{leader} of {answers} answers agree, {runner_up} stand behind the next")


def comparable(steps: Sequence[Step], kind: Kind) -> bool:
    """Whether the answers are short enough to agree; long free text and code never do, word for word."""
    if kind is Kind.CODE:
        return False
    return all(step.candidate.parsed is None or len(step.candidate.parsed) <= LONG for step in steps)


def select(state: RunState, by: Voters = "iterates") -> Selected | None:
    """The answer of a run as it stands: the best by the verifier, else by vote, else the last that passed the gate.

    None without a candidate.
    """
    assert state.plan is not None  # noqa: S101
    chains = [state.chains[number] for number in sorted(state.chains)]
    finals = [chain.current for chain in chains if chain.current is not None]
    voters = [step for chain in chains for step in chain.voters] if by == "iterates" else finals
    if not voters:
        drafts = [chain.steps[0] for chain in chains if chain.steps and chain.steps[0].candidate.text.strip()]
        return _selected(drafts[0], state) if drafts else None
    if state.plan.task.kind is Kind.CODE:
        return _selected(_best_program(finals), state)
    scored = [step for step in voters if step.score is not None]
    if scored:
        return _selected(max(scored, key=lambda step: step.score or 0.0), state)
    if by != "nobody" and comparable(voters, state.plan.task.kind):
        counted = tally(voters)
        # Of versions of a text no two may ever agree: a tie of them all says less than the critic.
        alone = by == "iterates" and state.plan.task.kind is Kind.TEXT and counted.lead == (1, 1)
        if counted.steps and not alone:
            return _selected(counted.steps[0], state, counted.votes)
    passed = [step for step in finals if step.evaluation and step.evaluation.verdict is Verdict.CORRECT]
    readable = [step for step in finals if step.candidate.problem is None]
    return _selected((passed or readable or finals)[0], state)


def _best_program(finals: Sequence[Step]) -> Step:
    """The highest score; among equals the largest cluster × the made tests that it passes (CodeT, 2207.10397)."""
    readable = [step for step in finals if step.candidate.problem is None] or finals
    best = max(step.score or 0.0 for step in readable)
    equals = [step for step in readable if (step.score or 0.0) == best]
    patterns = [tuple(case.outcome for execution in step.made for case in execution.cases) for step in equals]
    passed = [sum(outcome is Outcome.PASSED for outcome in pattern) for pattern in patterns]
    ranks = [patterns.count(pattern) * right for pattern, right in zip(patterns, passed, strict=True)]
    return equals[ranks.index(max(ranks))]


def _weight(voters: Sequence[Step]) -> float:
    return len(voters) + COMPARISON * sum(step.preferred for step in voters)


def _speaker(voters: Sequence[Step]) -> Step:
    # The first chain shows a choice's options in their own order, so its words need no mapping back.
    return min(voters, key=lambda step: (step.candidate.chain, -step.candidate.index))


def _selected(step: Step, state: RunState, votes: tuple[Vote, ...] = ()) -> Selected:
    return Selected(step.candidate.chain, step.candidate.index, votes, state.resumptions)
