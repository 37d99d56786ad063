"""Whether what a run found is right: answers against the gold one, programs against the hidden tests."""

from collections.abc import Iterable

from refiner.domain.calls import Usage
from refiner.domain.code import Judge, Outcome
from refiner.domain.errors import SandboxError
from refiner.domain.evals import Mark, Sitting
from refiner.domain.events import CallFinished, CallStarted, Decision, Recorded
from refiner.domain.state import RunState, Step, apply
from refiner.domain.task import Kind
from refiner.evals.datasets.item import Item
from refiner.evals.tasks import hidden
from refiner.evals.trajectory import Place, weights
from refiner.verify.equal import same_async

LONGEST = 200
"""Characters of an answer that are kept beside its run."""

_Judged = tuple[Place, Usage, float]


async def scored(run: str, events: Iterable[Recorded], item: Item, judge: Judge | None) -> Sitting:
    """What a run that is over came to: each of its candidates, and whether it is right.

    judge: who runs programs; None will do for other items. Raises SandboxError where the hidden tests cannot be run.
    """
    state, judged, spent, latencies = RunState(), list[_Judged](), dict[int, Usage](), list[float]()
    for recorded in events:
        event = recorded.event
        if isinstance(event, CallStarted):
            continue
        state = apply(state, recorded)
        match event:
            case CallFinished(key=key, reply=reply):
                of = int(key.partition("/")[0])
                spent[of] = spent.get(of, Usage()) + reply.usage
                latencies.append(reply.seconds)
            case Decision(chain=chain, index=index):
                judged.append(((chain, index), spent.pop(chain, Usage()), state.seconds))
    weight, rights = weights(state), dict[str, bool]()
    marks = []
    for (chain, index), used, seconds in judged:
        step = state.chain(chain).steps[index]
        known = step.candidate.parsed
        if known is not None and known not in rights:
            rights[known] = await _right(step, known, item, judge)
        right = known is not None and rights[known]
        marks.append(_mark(step, weight[chain, index], used, seconds, item.kind, right=right))
    return Sitting(
        run,
        over=True,
        stop=state.finished.stop.detail if state.finished else "",
        selected=(state.selected.chain, state.selected.index) if state.selected else None,
        marks=tuple(marks),
        usage=state.answered,
        seconds=state.seconds,
        latencies=tuple(latencies),
    )


async def _right(step: Step, parsed: str, item: Item, judge: Judge | None) -> bool:
    if item.kind is not Kind.CODE:
        return await same_async(parsed, item.answer or "", item.kind)
    if item.tests == item.visible and step.execution is not None:
        return step.execution.outcome is Outcome.PASSED
    if judge is None:
        raise SandboxError("programs are scored by hidden tests, and nothing here runs them")
    suite = hidden(item)
    execution = await judge.judge(parsed, suite)
    if execution.outcome is Outcome.SANDBOX:
        execution = await judge.judge(parsed, suite)
    if execution.outcome is Outcome.SANDBOX:
        raise SandboxError(f"the sandbox failed twice: {execution.detail}; see `refiner doctor`")
    return execution.outcome is Outcome.PASSED


def _mark(step: Step, weight: float, spent: Usage, seconds: float, kind: Kind, *, right: bool) -> Mark:
    candidate = step.candidate
    return Mark(
        chain=candidate.chain,
        index=candidate.index,
        right=right,
        accepted=step.accepted,
        voter=step.accepted or candidate.problem == "unchanged",
        answer=None if candidate.parsed is None or kind is Kind.CODE else candidate.parsed[:LONGEST],
        problem=candidate.problem,
        cause=step.decision.reason if step.decision else "",
        visible=None if step.execution is None else step.execution.outcome is Outcome.PASSED,
        weight=weight,
        spent=spent,
        seconds=seconds,
    )
