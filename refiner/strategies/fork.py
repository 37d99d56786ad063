"""A run that begins where another one was: its journal up to an iteration, with one text of it changed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from refiner.domain.calls import Finish, Reply, Role, Usage
from refiner.domain.errors import NotFoundError, UsageError
from refiner.domain.events import (
    CallFailed,
    CallFinished,
    CallStarted,
    Candidate,
    Decision,
    Event,
    Executed,
    Recorded,
    RunFinished,
    RunResumed,
    RunStarted,
    Selected,
    Steered,
)
from refiner.domain.run import Plan
from refiner.domain.task import Kind
from refiner.strategies import STRATEGIES
from refiner.verify.read import read

_DROPPED = (RunResumed, RunFinished, Selected, Steered, CallFailed)


@dataclass(frozen=True, slots=True)
class Edit:
    """What a fork changes: the critique or the gradient of its iteration, or the answer itself. At most one is set."""

    critique: str | None = None
    gradient: str | None = None
    answer: str | None = None


def forked(run: str, past: Sequence[Recorded], chain: int, index: int, edit: Edit) -> list[Event]:
    """The first events of a fork: all that had happened when candidate `chain`/`index` had passed or failed the gate.

    What was paid for then costs the fork nothing. An edited critique or gradient is the reply that the fork finds where
    it would have asked for one. Raises NotFoundError where there is no such candidate, UsageError where the strategy
    never asks for what is edited.
    """
    end = next((one.id for one in past if one.event.place == f"{chain}/{index}/decision"), None)
    if end is None:
        raise NotFoundError(f"run {run} has no candidate {chain}/{index}: `refiner run show {run}` lists them")
    kept: list[Event] = [one.event for one in past if one.id <= end and not isinstance(one.event, _DROPPED)]
    started = kept[0]
    assert isinstance(started, RunStarted)  # noqa: S101
    plan = started.plan
    if edit.answer is not None and plan.tuning is not None:
        raise UsageError("a prompt is tuned by what its examples say: `refiner tune` begins with another one")
    if edit.answer is not None:
        kept = list(_answered(kept, plan, chain, index, edit.answer))
        plan = kept[0].plan if isinstance(kept[0], RunStarted) else plan
    ended = {event.place.removesuffix("/ended") for event in kept if isinstance(event, CallFinished)}
    events: list[Event] = [RunStarted(plan, f"{run}@{chain}/{index}")]
    for event in kept[1:]:
        if isinstance(event, CallFinished):
            events.append(_free(event))
        elif not isinstance(event, CallStarted) or event.place.removesuffix("/started") in ended:
            events.append(event)
    return [*events, *_said(plan, past, chain, index, edit)]


def _answered(events: list[Event], plan: Plan, chain: int, index: int, answer: str) -> Iterator[Event]:
    """The events with another text in the place of the candidate; what was found out about the old one is left out."""
    place = f"{chain}/{index}"
    parsed = answer if plan.task.kind is Kind.CODE else read(answer, plan.task)
    if parsed is None:
        raise UsageError(f"no answer of kind {plan.task.kind} can be read from the text that --answer gives")
    calls = [event.key for event in events if isinstance(event, CallFinished) and event.key.startswith(f"{chain}/")]
    fenced = f"```python\n{answer}\n```" if plan.task.kind is Kind.CODE else answer
    for event in events:
        match event:
            case RunStarted() if not calls and plan.task.program is not None:
                yield replace(event, plan=replace(plan, task=replace(plan.task, program=answer)))
            case CallFinished(key=key, reply=reply) if calls and key == calls[-1]:
                yield replace(event, reply=replace(reply, text=fenced))
            case Candidate() if event.place == f"{place}/candidate":
                yield replace(event, text=answer, parsed=parsed, problem=None)
            case Executed() | Decision() if event.place.startswith(f"{place}/"):
                pass
            case _:
                yield event


def _said(plan: Plan, past: Sequence[Recorded], chain: int, index: int, edit: Edit) -> Iterator[Event]:
    """The critique and the gradient of the iteration as calls that were answered."""
    if edit.critique is None and edit.gradient is None:
        return
    if plan.strategy not in ("refine", "textgrad", "fuse"):
        known = ", ".join(name for name in STRATEGIES if name in ("refine", "textgrad", "fuse"))
        raise UsageError(f"the strategy {plan.strategy} asks for no critique; these do: {known}. Give --answer instead")
    critic, gradient = f"{chain}/{index}/{Role.CRITIC}/loss", f"{chain}/{index}/{Role.GRADIENT}/0.0"
    if edit.critique is not None:
        yield from _call(plan, critic, Role.CRITIC, edit.critique)
    elif plan.strategy != "textgrad":  # its critique is the gradient
        yield from _call(plan, critic, Role.CRITIC, edit.gradient or "")
    else:
        asked = (one.event for one in past if isinstance(one.event, CallFinished))
        critique = next((event.reply.text for event in asked if event.key == critic), None)
        if critique is None:
            raise UsageError(f"candidate {chain}/{index} was never criticised: give --critique instead")
        yield from _call(plan, critic, Role.CRITIC, critique)
        yield from _call(plan, gradient, Role.GRADIENT, edit.gradient or "")


def _call(plan: Plan, key: str, role: Role, text: str) -> tuple[Event, Event]:
    started = CallStarted(key, 0, role, plan.models.of(role), "", (), plan.max_output_tokens, Usage())
    return started, CallFinished(key, 0, Reply(text, Usage(), Finish.STOP, 0.0))


def _free(event: CallFinished) -> CallFinished:
    return replace(event, reply=replace(event.reply, usage=Usage()))
