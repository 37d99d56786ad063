"""What each arm makes of an item: votes over refined answers, and controls made of the same samples at two costs."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from refiner.domain.calls import Usage
from refiner.domain.evals import ARMS, Answered, Arm, Mark, Results, Sitting, Verdict, Verdicts
from refiner.domain.task import Kind
from refiner.domain.votes import LONG


def _accepted(marks: Sequence[Mark]) -> Iterable[Mark]:
    return (mark for mark in marks if mark.voter)


def _finals(marks: Sequence[Mark]) -> Iterable[Mark]:
    return {mark.chain: mark for mark in marks if mark.accepted}.values()


NO_GOLD = "there is no gold answer: refiner eval judge compares the answers"

VOTES: Mapping[str, Callable[[Sequence[Mark]], Iterable[Mark]]] = MappingProxyType(
    {"accepted": _accepted, "weighted": _accepted, "iterates": lambda marks: marks, "finals": _finals}
)
"""Who votes. accepted: the candidates of all chains that passed the gate; weighted: the same, by their weights.
iterates: every candidate, as published. finals: each chain's last one. What cannot be read never votes."""


def verdicts(answered: Answered, vote: str = "own") -> Verdicts:
    """What every arm makes of an item. vote: how the refined answer is chosen: "own" is the strategy's, else VOTES."""
    refined = refined_verdict(answered.refined, answered.item.kind, vote)
    found: dict[Arm, Verdict] = {"refined": refined}
    if answered.samples is not None:
        samples, bound = answered.samples, answered.refined.usage if answered.refined else Usage()
        found["zero-shot"] = _control("zero-shot", answered, drawn(samples)[:1])
        found["same-calls"] = _control("same-calls", answered, prefix(samples, calls=bound.calls))
        found["same-tokens"] = _control("same-tokens", answered, prefix(samples, tokens=bound.tokens))
        if refined.right is not None and not bound.calls:
            # What cost nothing, as a program that passed as it was, is to be had for nothing by everybody.
            found |= {
                "same-calls": replace(refined, arm="same-calls"),
                "same-tokens": replace(refined, arm="same-tokens"),
            }
    if answered.item.gold is None and answered.item.kind is not Kind.CODE:
        found = {
            arm: replace(one, right=None, failure=one.failure or NO_GOLD) for arm, one in found.items() if _over(one)
        }
    return MappingProxyType({arm: found[arm] for arm in ARMS if arm in found})


def _over(verdict: Verdict) -> bool:
    return verdict.right is not None or bool(verdict.failure)


def drawn(samples: Sitting) -> list[Mark]:
    """The samples in the order in which they would have been drawn one by one."""
    return sorted(samples.marks, key=lambda mark: mark.place)


def prefix(samples: Sitting, *, calls: int | None = None, tokens: int | None = None) -> list[Mark]:
    """The first samples that so many calls, or tokens, pay for; one at the least."""
    kept, spent = list[Mark](), Usage()
    for mark in drawn(samples):
        spent += mark.spent
        if kept and ((calls is not None and spent.calls > calls) or (tokens is not None and spent.tokens > tokens)):
            break
        kept.append(mark)
    return kept


def refined_verdict(sitting: Sitting | None, kind: Kind, vote: str) -> Verdict:
    """The strategy's answer, its own or that of a vote over its candidates.

    Programs, and texts of which no two agree, are the strategy's own.
    """
    if sitting is None or not sitting.over:
        return Verdict("refined", None, failure=sitting.failure if sitting else "")
    marks = sorted(sitting.marks, key=lambda mark: mark.place)
    voters = list(VOTES["accepted" if vote == "own" else vote](marks))
    own = next((mark for mark in marks if mark.place == sitting.selected), None)
    leader, margin, number = counted(voters, weighted=vote == "weighted")
    chosen = own if vote == "own" or kind is Kind.CODE or (kind is Kind.TEXT and _apart(voters, own)) else leader
    return _verdict("refined", chosen, margin, number, sitting.usage)


def _apart(voters: Sequence[Mark], own: Mark | None) -> bool:
    """Whether no two texts agree, or they are too long to, so that a vote says nothing against the strategy."""
    answers = [mark.answer for mark in voters if mark.answer is not None]
    if own is None or own.answer is None or len(answers) < 2:
        return False
    return len(set(answers)) == len(answers) or len(max(answers, key=len)) >= LONG


def counted(voters: Iterable[Mark], *, weighted: bool = False) -> tuple[Mark | None, float | None, int]:
    """Who speaks for the leading answer, its margin, and how many voted; ties go to the earlier answer."""
    behind: dict[str, list[Mark]] = {}
    for mark in voters:
        if mark.answer is not None and mark.problem in (None, "unchanged"):
            behind.setdefault(mark.answer, []).append(mark)
    if not behind:
        return None, None, 0
    weights = {answer: sum(m.weight if weighted else 1.0 for m in marks) for answer, marks in behind.items()}
    leader = max(weights, key=lambda answer: weights[answer])
    first, second, *_ = (*sorted(weights.values(), reverse=True), 0.0)
    total = sum(weights.values())
    return behind[leader][0], (first - second) / total if total else 0.0, sum(map(len, behind.values()))


def _control(arm: Arm, answered: Answered, samples: Sequence[Mark]) -> Verdict:
    sitting = answered.samples
    assert sitting is not None  # noqa: S101
    if not sitting.over:
        return Verdict(arm, None, failure=sitting.failure)
    leader, margin, number = counted(samples)
    if answered.item.kind is Kind.CODE:
        leader = first_program(samples)
    return _verdict(arm, leader, margin, number, sum((mark.spent for mark in samples), Usage()))


def first_program(samples: Sequence[Mark]) -> Mark | None:
    """Of independent samples the first that passes the tests that may be seen, else the first that changes anything."""
    changed = [mark for mark in samples if mark.problem is None]
    unchanged = [mark for mark in samples if mark.problem == "unchanged"]
    return next((mark for mark in changed if mark.visible), next(iter(changed + unchanged), None))


def _verdict(arm: Arm, chosen: Mark | None, margin: float | None, voters: int, usage: Usage) -> Verdict:
    right = chosen is not None and chosen.right
    answer, place = (chosen.answer, chosen.place) if chosen else (None, None)
    return Verdict(arm, right, answer, place, margin, voters, usage)


@dataclass(slots=True)
class Tally:
    """The items of an arm. failed: without an outcome. gained, lost: items that only the refined answer has right, and
    that only this arm has."""

    judged: int = 0
    right: int = 0
    failed: int = 0
    gained: int = 0
    lost: int = 0
    usage: Usage = field(default_factory=Usage)


def tallies(results: Results) -> Mapping[Arm, Tally]:
    """How many items each arm has right."""
    found: dict[Arm, Tally] = {}
    for answered in results.answered:
        each = verdicts(answered, results.eval.vote)
        for arm, verdict in each.items():
            tally = found.setdefault(arm, Tally())
            tally.failed += verdict.failure not in ("", NO_GOLD)
            if verdict.right is not None:
                tally.judged += 1
                tally.right += verdict.right
                tally.usage += verdict.usage
                if (refined := each["refined"].right) is not None:
                    tally.gained += refined > verdict.right
                    tally.lost += refined < verdict.right
    return found


def rights(results: Results) -> Mapping[Arm, Mapping[str, list[bool]]]:
    """Right or not by item, each replicate with an outcome."""
    found: dict[Arm, dict[str, list[bool]]] = {}
    for answered in results.answered:
        for arm, verdict in verdicts(answered, results.eval.vote).items():
            if verdict.right is not None:
                found.setdefault(arm, {}).setdefault(answered.item.id, []).append(verdict.right)
    return found
