"""The answers of a stored eval, as figures and reports look at them."""

from collections.abc import Iterable, Iterator, Sequence

from refiner.domain.calls import Usage
from refiner.domain.evals import Answered, Arm, Mark, Results, Sitting, Verdict
from refiner.domain.task import Kind
from refiner.evals.answers import Answer, Iterate, Outcome, Point
from refiner.evals.arms import NO_GOLD, VOTES, counted, drawn, first_program, prefix, verdicts


def answers(results: Results) -> list[Answer]:
    """Every answer that the eval has, or has failed to get; those that are still to come are left out."""
    return [answer for one in results.answered for answer in _of(one, results.eval.vote)]


def _of(answered: Answered, vote: str) -> Iterator[Answer]:
    for arm, verdict in verdicts(answered, vote).items():
        sitting = answered.refined if arm == "refined" else answered.samples
        if sitting is None or (verdict.right is None and not verdict.failure):
            continue
        marks = _marks(arm, answered, sitting)
        chosen = next((mark for mark in marks if mark.place == verdict.place), None)
        rule = "iterates" if arm != "refined" else "accepted" if vote == "own" else vote
        yield Answer(
            item=answered.item.id,
            arm=arm,
            replicate=answered.replicate,
            outcome=outcome(verdict, chosen),
            subject=answered.item.subject,
            parsed=verdict.answer,
            gold=answered.item.gold,
            visible=chosen.visible if chosen else None,
            margin=verdict.margin,
            usage=verdict.usage if sitting.over else sitting.usage,
            seconds=sitting.seconds if arm == "refined" else max((mark.seconds for mark in marks), default=0.0),
            latencies=sitting.latencies,
            iterates=tuple(_iterate(mark) for mark in marks),
            points=tuple(_points(marks, arm, rule, answered.item.kind)),
            chosen=verdict.place,
            run=sitting.run,
            failure="" if verdict.failure == NO_GOLD else verdict.failure,
        )


def outcome(verdict: Verdict, chosen: Mark | None) -> Outcome:
    """What an arm came to by a verdict that is there. chosen: the candidate that is its answer."""
    if verdict.failure == NO_GOLD:
        return "unjudged"
    if verdict.right is None:
        return "failed"
    if verdict.right:
        return "right"
    return "unreadable" if chosen is None or chosen.problem not in (None, "unchanged") else "wrong"


def _marks(arm: Arm, answered: Answered, sitting: Sitting) -> Sequence[Mark]:
    """The candidates that an arm is made of: programs as they came, others round by round, as chains run at once."""
    if arm == "refined":
        # Which of the chains is answered first is chance, and the same seed has to give the same curve.
        code = answered.item.kind is Kind.CODE
        return sitting.marks if code else sorted(sitting.marks, key=lambda mark: (mark.index, mark.chain))
    spent = answered.refined.usage if answered.refined else Usage()
    if arm == "same-calls":
        return prefix(sitting, calls=spent.calls)
    return prefix(sitting, tokens=spent.tokens) if arm == "same-tokens" else drawn(sitting)[:1]


def _iterate(mark: Mark) -> Iterate:
    return Iterate(mark.chain, mark.index, mark.accepted, mark.cause, mark.right, mark.answer)


def _points(marks: Sequence[Mark], arm: Arm, rule: str, kind: Kind) -> Iterator[Point]:
    """What the arm would have said after each candidate."""
    usage = Usage()
    for number, mark in enumerate(marks, 1):
        usage += mark.spent
        if kind is not Kind.CODE:
            leader = counted(VOTES[rule](marks[:number]))[0]
        else:
            leader = (_kept_program if arm == "refined" else first_program)(marks[:number])
        yield Point(usage, right=leader is not None and leader.right)


def _kept_program(marks: Iterable[Mark]) -> Mark | None:
    """The first that passes the tests that may be seen, else the last that the gate let through."""
    accepted = [mark for mark in marks if mark.accepted]
    return next((mark for mark in accepted if mark.visible), accepted[-1] if accepted else None)
