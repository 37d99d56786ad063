"""The gate: whether an update may replace the candidate it came from, with its reason in one sentence."""

from refiner.domain.events import Candidate, Decision
from refiner.domain.run import Phase

_REASONS = {
    "unreadable": "no answer can be read from it",
    "empty": "it is empty",
    "truncated": "it was cut off before its end",
    "echoed": "it repeats the prompt instead of answering",
    "unchanged": "it says the same as before",
    "vetoed": "its critique was vetoed",
}


def decide(
    candidate: Candidate,
    current: Candidate | None,
    *,
    score: float | None = None,
    best: float | None = None,
    strictly: bool = False,
) -> Decision:
    """The word on a candidate: a draft is taken as it is, an update only if nothing is worse than before.

    score and best, from 0 to 1, are the verifier's for the candidate and for the current one, where there is one;
    strictly: a score that is only as good is not enough. A reply that cannot be read never replaces one that could.
    """

    def word(accepted: bool, reason: str) -> Decision:
        return Decision(candidate.chain, candidate.index, accepted, reason)

    if candidate.problem is not None:
        only = candidate.phase is Phase.DRAFT and candidate.text.strip() != ""
        reason = _REASONS.get(candidate.problem, candidate.problem)
        return word(only, f"{reason}, but it is all there is" if only else reason)
    if current is None:
        return word(True, "it is the first")
    if score is not None and best is not None and score < best:
        return word(False, f"its score {score:.2f} is below {best:.2f}")
    if score is not None and best is not None and strictly and score == best:
        return word(False, f"its score {score:.2f} is no better than before")
    if score is not None and best is not None:
        return word(True, f"its score {score:.2f} is {'above' if score > best else 'no worse than'} {best:.2f}")
    if current.problem is not None:
        return word(True, "it can be read, and the one before could not")
    return word(True, "it can be read and mends what the critic found")
