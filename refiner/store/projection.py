"""What an event writes besides itself: a row of detail, and a change to the line of its run. Pure."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Integer, String, Table, Update, bindparam, case, func, update

from refiner.domain.calls import Image, Message, Usage
from refiner.domain.events import (
    CallFailed,
    CallFinished,
    CallStarted,
    Candidate,
    Decision,
    Evaluation,
    Event,
    Executed,
    Gradient,
    RunFinished,
    RunResumed,
    RunStarted,
    Steered,
)
from refiner.domain.run import Word
from refiner.store import tables
from refiner.store.texts import Put

OVER = ("done", "interrupted", "failed")

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """How one or more events change the line of their run; None leaves a column as it is.

    answered: a call came back, so no service that died before died over this run.
    """

    status: str | None = None
    stop: str | None = None
    title: str | None = None
    kind: str | None = None
    strategy: str | None = None
    model: str | None = None
    iterations: int = 0
    usage: Usage = field(default_factory=Usage)
    answered: bool = False

    def __add__(self, later: "Change") -> "Change":
        return Change(
            later.status or self.status,
            later.stop if later.status else self.stop,
            later.title or self.title,
            later.kind or self.kind,
            later.strategy or self.strategy,
            later.model or self.model,
            max(self.iterations, later.iterations),
            self.usage + later.usage,
            self.answered or later.answered,
        )

    def row(self, run: str, owner: str, at: datetime) -> Row:
        """The parameters of UPDATE_RUN."""
        words = ("status", "stop", "title", "kind", "strategy", "model")
        figures = {"calls": self.usage.calls, "input_tokens": self.usage.input_tokens}
        figures |= {"output_tokens": self.usage.output_tokens, "iterations": self.iterations}
        figures |= {"answered": int(self.answered)}
        values = {word: getattr(self, word) for word in words} | figures
        values |= {"cost_usd": self.usage.cost_usd, "run": run, "held": owner, "at": at}
        return {f"new_{name}": value for name, value in values.items()}


@dataclass(frozen=True, slots=True)
class Projection:
    """insert: a row for a table of detail. ended: the parameters of END_CALL."""

    insert: tuple[Table, Row] | None = None
    ended: Row | None = None
    change: Change = field(default_factory=Change)


def project(run: str, at: datetime, event: Event, put: Put) -> Projection:
    """What the event writes; `put` takes the texts that the rows refer to."""
    match event:
        case RunStarted(plan=plan):
            task = plan.task
            started = Change("running", None, task.title, task.kind.value, plan.strategy, plan.models.answer)
            return Projection(change=started)
        case RunResumed() | Steered(word=Word(control="resume")):
            return Projection(change=Change("running"))
        case Steered(word=Word(control="pause")):
            return Projection(change=Change("paused"))
        case RunFinished(status=status, stop=stop):
            return Projection(change=Change(status, stop.reason.value))
        case CallStarted():
            call = {"key": event.key, "attempt": event.attempt, "role": event.role.value, "model": event.model}
            call |= {"digest": event.digest, "messages": pack_messages(event.messages, put), "started_at": at}
            return Projection((tables.calls, {"run_id": run} | call))
        case CallFinished(reply=reply):
            outcome = {"reply": put(reply.text), "finish": reply.finish.value, "seconds": reply.seconds, "error": None}
            return _ended(run, at, event, reply.usage, outcome, answered=True)
        case CallFailed(error=error, booked=booked):
            outcome = {"reply": None, "finish": None, "seconds": None, "error": error}
            return _ended(run, at, event, booked, outcome)
        case Candidate(index=index, parsed=parsed):
            texts = {"text": put(event.text), "parsed": None if parsed is None else put(parsed)}
            row = _of(run, event) | texts | {"phase": event.phase.value, "problem": event.problem}
            return Projection((tables.candidates, row), change=Change(iterations=index))
        case Executed(execution=run_of, against=against):
            row = {"against": against, "verdict": run_of.outcome.value, "seconds": run_of.seconds}
            row |= {"passed": run_of.passed, "total": run_of.total, "output": put(run_of.output)}
            return Projection((tables.executions, _of(run, event) | row))
        case Evaluation(edit=int()):
            return Projection()  # the row keeps what the critic said
        case Evaluation(tests=tests):
            row = {"verdict": event.verdict.value, "critique": put(event.critique), "score": event.score}
            row |= {"passed": tests and tests.passed, "total": tests and tests.total}
            return Projection((tables.evaluations, _in_iteration(run, event) | row))
        case Gradient(text=text):
            return Projection((tables.gradients, _in_iteration(run, event) | {"text": put(text)}))
        case Decision(accepted=accepted, reason=reason):
            return Projection((tables.decisions, _of(run, event) | {"accepted": accepted, "reason": reason}))
        case _:
            return Projection()


def pack_messages(messages: Iterable[Message], put: Put) -> str:
    """Messages as JSON over the digests of their parts."""
    return json.dumps([[message.role, [put(_text(part)) for part in message.parts]] for message in messages])


def unpack_messages(packed: str, texts: Mapping[str, str]) -> tuple[Message, ...]:
    return tuple(Message(role, tuple(_part(texts[digest]) for digest in parts)) for role, parts in json.loads(packed))


def _text(part: str | Image) -> str:
    return part.url if isinstance(part, Image) else part


def _part(text: str) -> str | Image:
    return Image(text) if text.startswith("data:image/") else text


def _of(run: str, event: Candidate | Executed | Evaluation | Gradient | Decision) -> Row:
    return {"run_id": run, "chain": event.chain, "index": event.index}


def _in_iteration(run: str, event: Evaluation | Gradient) -> Row:
    return _of(run, event) | {"iteration": event.index if event.iteration is None else event.iteration}


def _ended(
    run: str, at: datetime, event: CallFinished | CallFailed, usage: Usage, outcome: Row, *, answered: bool = False
) -> Projection:
    call = {"of_run": run, "of_key": event.key, "of_attempt": event.attempt}
    return Projection(
        ended=call | outcome | asdict(usage) | {"ended_at": at}, change=Change(usage=usage, answered=answered)
    )


def _end_call() -> Update:
    calls = tables.calls
    named = [calls.c[name] == bindparam(f"of_{word}") for name, word in (("run_id", "run"), ("key", "key"))]
    outcome = ("reply", "finish", "error", "seconds", "ended_at", *Usage.__dataclass_fields__)
    call = update(calls).where(*named, calls.c.attempt == bindparam("of_attempt"))
    return call.values({calls.c[name]: bindparam(name) for name in outcome})


def _update_run() -> Update:
    of = tables.runs.c
    status = bindparam("new_status", type_=String)
    words = ("title", "kind", "strategy", "model")
    sums = ("calls", "input_tokens", "output_tokens", "cost_usd")
    values: dict[str, ColumnElement[Any]] = {
        "status": func.coalesce(status, of.status),
        "stop": case((status.is_(None), of.stop), else_=bindparam("new_stop", type_=String)),
        # A run that is over belongs to nobody, and may be resumed by anybody.
        "owner": case(*((status == over, None) for over in OVER), else_=of.owner),
        "updated_at": bindparam("new_at", type_=of.updated_at.type),
    }
    most = bindparam("new_iterations", type_=of.iterations.type)
    values["iterations"] = case((most > of.iterations, most), else_=of.iterations)
    values |= {word: func.coalesce(bindparam(f"new_{word}", type_=of[word].type), of[word]) for word in words}
    values["crashes"] = case((bindparam("new_answered", type_=Integer) == 1, 0), else_=of.crashes)
    values |= {figure: of[figure] + bindparam(f"new_{figure}", type_=of[figure].type) for figure in sums}
    return update(tables.runs).where(of.id == bindparam("new_run"), of.owner == bindparam("new_held")).values(values)


END_CALL = _end_call()
UPDATE_RUN = _update_run()
