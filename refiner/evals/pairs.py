"""The answers of an eval in pairs, for a judge."""

from refiner.domain.errors import UsageError
from refiner.domain.evals import Answered, Arm, Results, Sitting, Verdict
from refiner.domain.state import RunState, fold
from refiner.domain.store import Store
from refiner.evals.arms import verdicts
from refiner.evals.judging import Pair


async def pairs_of(store: Store, results: Results, against: Arm = "zero-shot") -> list[Pair]:
    """The refined answers beside those of a control. Raises UsageError where no item has both."""
    found = []
    for answered in results.answered:
        each = verdicts(answered, results.eval.vote)
        pair = await _pair(store, answered, each.get("refined"), each.get(against))
        if pair is not None:
            found.append(pair)
    if not found:
        raise UsageError(f"eval {results.eval.id} has no item with both a refined answer and one of {against}")
    return found


async def _pair(store: Store, answered: Answered, ours: Verdict | None, theirs: Verdict | None) -> Pair | None:
    states = [await _state(store, sitting) for sitting in (answered.refined, answered.samples)]
    texts = [_text(state, verdict) for state, verdict in zip(states, (ours, theirs), strict=True)]
    if states[0] is None or states[0].plan is None or texts[0] is None or texts[1] is None:
        return None
    return Pair(answered.item.id, answered.replicate, states[0].plan.task.text, texts[0], texts[1])


async def _state(store: Store, sitting: Sitting | None) -> RunState | None:
    return fold(await store.events(sitting.run)) if sitting and sitting.run else None


def _text(state: RunState | None, verdict: Verdict | None) -> str | None:
    if state is None or verdict is None or verdict.place is None:
        return None
    chain, index = verdict.place
    return state.chain(chain).steps[index].candidate.text
