"""Traces of runs by OpenTelemetry's conventions for generative AI, made from the committed events alone.

A run is an `invoke_agent` span, below it are its iterations, and in those the calls (`chat MODEL`) and the executions
in the sandbox (`execute_tool sandbox`). Their ids follow from the run and the place, so a trace that is sent twice is
the same. Source: https://opentelemetry.io/docs/specs/semconv/gen-ai/
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from importlib.metadata import version
from itertools import groupby
from typing import Any
from urllib.parse import urlsplit

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from refiner.domain.calls import Message, Reply
from refiner.domain.code import Outcome
from refiner.domain.events import CallFailed, CallFinished, CallStarted, Decision, Executed, Recorded, RunFinished
from refiner.domain.state import RunState, fold
from refiner.service.faults import kind_of, own_words

DELIVERY = 3.0
"""Seconds that sending one trace may take, attempts and all; the service does not end before."""

_OPERATION, _PROVIDER, _MODEL = "gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model"
_Attributes = dict[str, Any]


def exporter(url: str) -> OTLPSpanExporter:
    """What sends spans to a collector over OTLP/HTTP; OTEL_EXPORTER_OTLP_HEADERS holds what it wants to be told."""
    whole = url if urlsplit(url).path.strip("/") else f"{url.rstrip('/')}/v1/traces"
    return OTLPSpanExporter(whole, timeout=DELIVERY)


@dataclass(frozen=True, slots=True)
class Tracer:
    """Makes the spans of a run that has ended and sends them; content: prompts and replies are among them."""

    exporter: SpanExporter
    content: bool = False
    resource: Resource = field(
        default_factory=lambda: Resource.create({"service.name": "refiner", "service.version": version("refiner")})
    )

    def send(self, events: Sequence[Recorded]) -> None:
        """Export what happened since the run ended the last time but one; waits for the collector."""
        self.exporter.export(list(_spans(events, self.resource, self.content)))


def _spans(events: Sequence[Recorded], resource: Resource, content: bool) -> Iterator[ReadableSpan]:
    state = fold(events)
    ends = [number for number, recorded in enumerate(events[:-1], 1) if isinstance(recorded.event, RunFinished)]
    new = events[ends[-1] if ends else 0 :]
    trace = _Trace(new[0].run, resource)
    root = trace.span(f"run/{state.resumptions}", None, new[0].at, new[-1].at, *_run(state))
    yield root
    placed = sorted(((place, recorded) for recorded in new if (place := _place(recorded))), key=lambda pair: pair[0])
    parents: dict[tuple[int, int], ReadableSpan] = {}
    for place, group in groupby(placed, key=lambda pair: pair[0]):
        yield (parents.setdefault(place, _iteration(trace, root, place, [recorded for _, recorded in group])))
    started: dict[str, Recorded] = {}
    for recorded in new:
        parent = parents.get(_place(recorded) or (-1, -1), root)
        match recorded.event:
            case CallStarted(key=key, attempt=attempt):
                started[f"{key}#{attempt}"] = recorded
            case CallFinished(key=key, attempt=attempt) | CallFailed(key=key, attempt=attempt):
                if begun := started.get(f"{key}#{attempt}"):
                    yield _call(trace, parent, begun, recorded, content)
            case Executed() as event:
                yield _execution(trace, parent, recorded.at, event)


@dataclass(frozen=True, slots=True)
class _Trace:
    run: str
    resource: Resource

    def span(
        self,
        place: str,
        parent: ReadableSpan | None,
        begun: datetime,
        ended: datetime,
        name: str,
        attributes: Mapping[str, Any],
        error: str | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
    ) -> ReadableSpan:
        known = {name: value for name, value in attributes.items() if value is not None}
        trace = int.from_bytes(sha256(self.run.encode()).digest()[:16])
        own = int.from_bytes(sha256(f"{self.run} {place}".encode()).digest()[:8])
        return ReadableSpan(
            name,
            SpanContext(trace, own, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED)),
            parent.context if parent else None,
            self.resource,
            {"gen_ai.conversation.id": self.run, **known},
            kind=kind,
            status=Status(StatusCode.ERROR, error) if error else Status(StatusCode.UNSET),
            start_time=_nanoseconds(begun),
            end_time=_nanoseconds(ended),
            instrumentation_scope=InstrumentationScope("refiner", version("refiner")),
        )


def _run(state: RunState) -> tuple[str, _Attributes, str | None]:
    assert state.plan is not None  # noqa: S101
    plan, finished = state.plan, state.finished
    attributes: _Attributes = {
        _OPERATION: "invoke_agent",
        "gen_ai.agent.name": "refiner",
        **_named(plan.models.answer),
        "refiner.strategy": plan.strategy,
        "refiner.task.kind": str(plan.task.kind),
        "refiner.calls": state.usage.calls,
        "refiner.cost_usd": state.usage.cost_usd,
    }
    if finished is None:
        return "invoke_agent refiner", attributes, None
    attributes |= {"refiner.status": finished.status, "refiner.stop": str(finished.stop.reason)}
    failed = finished.status == "failed"
    if failed:
        attributes["error.type"] = f"exit {finished.exit}"
    return "invoke_agent refiner", attributes, f"exit {finished.exit}" if failed else None


def _iteration(trace: _Trace, root: ReadableSpan, place: tuple[int, int], events: Sequence[Recorded]) -> ReadableSpan:
    chain, index = place
    decided = next((recorded.event for recorded in events if isinstance(recorded.event, Decision)), None)
    attributes = {
        "refiner.chain": chain,
        "refiner.iteration": index,
        "refiner.accepted": decided.accepted if decided else None,
    }
    begun = min(_began(recorded) for recorded in events)
    return trace.span(f"iteration/{chain}/{index}/{events[0].id}", root, begun, events[-1].at, "iteration", attributes)


def _call(trace: _Trace, parent: ReadableSpan, begun: Recorded, ended: Recorded, content: bool) -> ReadableSpan:
    call, end = begun.event, ended.event
    assert isinstance(call, CallStarted)  # noqa: S101
    attributes: _Attributes = {
        _OPERATION: "chat",
        **_named(call.model),
        "gen_ai.request.max_tokens": call.max_output_tokens,
        "gen_ai.request.temperature": call.temperature,
        "gen_ai.request.seed": call.seed,
        "refiner.role": str(call.role),
        "refiner.attempt": call.attempt,
    }
    if content:
        attributes["gen_ai.input.messages"] = json.dumps([_message(message) for message in call.messages])
    error = None
    if isinstance(end, CallFinished):
        attributes |= _replied(end.reply, content)
    elif isinstance(end, CallFailed):
        error = own_words(end.error)
        attributes |= {"error.type": kind_of(end.error), "refiner.cost_usd": end.booked.cost_usd}
    name = f"chat {attributes[_MODEL]}"
    return trace.span(call.place, parent, begun.at, ended.at, name, attributes, error, SpanKind.CLIENT)


def _replied(reply: Reply, content: bool) -> _Attributes:
    usage = reply.usage
    attributes: _Attributes = {
        "gen_ai.response.finish_reasons": (str(reply.finish),),
        "gen_ai.usage.input_tokens": usage.input_tokens,
        "gen_ai.usage.cache_read.input_tokens": usage.cached_input_tokens,
        "gen_ai.usage.output_tokens": usage.output_tokens,
        "gen_ai.usage.reasoning.output_tokens": usage.reasoning_tokens,
        "refiner.cost_usd": usage.cost_usd,
    }
    if content:
        said = {**_message(Message("assistant", (reply.text,))), "finish_reason": str(reply.finish)}
        attributes["gen_ai.output.messages"] = json.dumps([said])
    return attributes


def _execution(trace: _Trace, parent: ReadableSpan, ended: datetime, event: Executed) -> ReadableSpan:
    execution = event.execution
    attributes = {
        _OPERATION: "execute_tool",
        "gen_ai.tool.name": "sandbox",
        "refiner.tests.outcome": str(execution.outcome),
        "refiner.tests.passed": execution.passed,
        "refiner.tests.total": execution.total,
    }
    begun = ended - timedelta(seconds=execution.seconds)
    error = str(execution.outcome) if execution.outcome is Outcome.SANDBOX else None
    return trace.span(event.place, parent, begun, ended, "execute_tool sandbox", attributes, error)


def _named(model: str) -> _Attributes:
    provider, _, name = model.partition(":")
    return {_PROVIDER: provider, _MODEL: name or provider}


def _message(message: Message) -> dict[str, Any]:
    return {"role": message.role, "parts": [{"type": "text", "content": str(part)} for part in message.parts]}


def _place(recorded: Recorded) -> tuple[int, int] | None:
    """The chain and iteration that an event's place begins with."""
    parts = recorded.event.place.split("/")
    return (int(parts[0]), int(parts[1])) if len(parts) > 2 and parts[0].isdecimal() and parts[1].isdecimal() else None


def _began(recorded: Recorded) -> datetime:
    event = recorded.event
    return recorded.at - timedelta(seconds=event.execution.seconds) if isinstance(event, Executed) else recorded.at


def _nanoseconds(at: datetime) -> int:
    return round(at.timestamp() * 1_000_000) * 1_000
