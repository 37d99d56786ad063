"""From the candidates of a run to its answer: a vote where answers can be compared, else the best that is known."""

from collections.abc import Sequence
from typing import Literal

from refiner.domain.code import Outcome
from refiner.domain.events import Selected
from refiner.domain.run import Stop, StopReason, Verdict, Vote
from refiner.domain.state import RunState, Step
from refiner.domain.task import Kind
from refiner.domain.votes import Tally, comparable, tally

Voters = Literal["iterates", "finals", "nobody"]
"""Who votes on the answer: every accepted candidate, each chain's last one, or none."""


def outcome(counted: Tally, answers: int) -> Stop:
    """How a vote over so many answers ended."""
    leader, runner_up = counted.lead
    if not leader:
        return Stop(StopReason.VOTE_DECIDED, f"none of {answers} answers can be read")
    if leader == answers:
        return Stop(StopReason.AGREED, f"all {answers} answers agree")
    return Stop(StopReason.VOTE_DECIDED, f"{leader} of {answers} answers agree, {runner_up} stand behind the next")


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
    short, counted = comparable(voters, state.plan.task.kind), tally(voters)
    if by != "nobody" and (short or any(step.preferred for step in voters)):
        # Of versions of a text no two may ever agree: a tie of them all says less than the critic.
        alone = by == "iterates" and state.plan.task.kind is Kind.TEXT and counted.lead == (1, 1)
        if counted.steps and not alone:
            return _selected(counted.steps[0], state, counted.votes if short else ())
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


def _selected(step: Step, state: RunState, votes: tuple[Vote, ...] = ()) -> Selected:
    return Selected(step.candidate.chain, step.candidate.index, votes, state.resumptions)
