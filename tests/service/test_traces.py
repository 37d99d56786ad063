"""Traces by OpenTelemetry's conventions, made from a run's events."""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from refiner.config.settings import Service
from refiner.domain.errors import UsageError
from refiner.domain.events import Recorded, RunFinished
from refiner.domain.run import Stop, StopReason
from refiner.service.traces import Tracer
from refiner.service.watch import tracer_of
from refiner.strategies.drive import create, resume_run
from tests.end_to_end.model import DRAFT, MENDED, QUESTION, mending, phase
from tests.scripted import Asked, Outcome, Scripted, status
from tests.store.samples import TRAJECTORY
from tests.strategies.worlds import plan, world_of


async def recorded(scripted: Scripted, folder: Path) -> list[Recorded]:
    """The events of a run whose critic fails once."""
    failed: list[Asked] = []

    def script(asked: Asked) -> Outcome:
        if phase(asked) == "critique" and not failed:
            failed.append(asked)
            return status(503, "no room for SECRET")
        return mending(asked)

    scripted.script = script
    async with world_of(scripted, folder) as world:
        run = await create(world, plan(QUESTION, strategy="refine"))
        await resume_run(world, run)
        return await world.store.events(run)


def spans(events: Sequence[Recorded], *, content: bool = False) -> list[Any]:
    exporter = InMemorySpanExporter()
    Tracer(exporter, content).send(events)
    return list(exporter.get_finished_spans())


@pytest.mark.anyio
async def test_a_run_is_a_span_with_its_iterations_and_calls(scripted: Scripted, tmp_path: Path) -> None:
    events = await recorded(scripted, tmp_path)
    told = spans(events)
    [root] = [span for span in told if span.parent is None]
    of = {span.context.span_id: span for span in told}
    calls = [span for span in told if span.name == "chat scripted"]
    assert (root.name, root.attributes["refiner.stop"]) == ("invoke_agent refiner", "converged")
    assert root.attributes["gen_ai.conversation.id"] == events[0].run
    assert len(calls) == len(scripted.asked)
    for call in calls:
        iteration = of[call.parent.span_id]
        assert (iteration.name, of[iteration.parent.span_id]) == ("iteration", root)
        assert root.start_time <= iteration.start_time <= call.start_time <= call.end_time <= iteration.end_time
        assert call.attributes["gen_ai.operation.name"] == "chat"
        assert call.attributes["gen_ai.provider.name"] == "openai"
    [failed] = [call for call in calls if not call.status.is_ok and call.status.description]
    assert failed.attributes["error.type"] == "503"
    assert "gen_ai.usage.input_tokens" not in failed.attributes
    answered = [call for call in calls if call is not failed]
    used = sum(call.attributes["gen_ai.usage.input_tokens"] for call in answered)
    assert used == sum(asked.input_tokens for asked in scripted.asked) - scripted.asked[1].input_tokens
    assert {str(call.kind) for call in calls} == {"SpanKind.CLIENT"}
    assert len({span.context.trace_id for span in told}) == 1
    assert [span.context for span in spans(events)] == [span.context for span in told]


@pytest.mark.anyio
async def test_content_is_sent_only_where_it_is_wanted(scripted: Scripted, tmp_path: Path) -> None:
    events = await recorded(scripted, tmp_path)
    plain = "".join(span.to_json() for span in spans(events))
    for text in (QUESTION, DRAFT[:30], MENDED[:30], "no room", "SECRET"):
        assert text not in plain
    [first, *_] = [span for span in spans(events, content=True) if span.name == "chat scripted"]
    said = json.loads(first.attributes["gen_ai.input.messages"])
    assert any(QUESTION in part["content"] for message in said for part in message["parts"])
    [reply] = json.loads(first.attributes["gen_ai.output.messages"])
    assert (reply["parts"][0]["content"], reply["finish_reason"]) == (DRAFT, "stop")


def test_a_resumed_run_sends_what_is_new_to_the_same_trace() -> None:
    done = RunFinished("done", 0, Stop(StopReason.AGREED, ""), 1)
    events = [Recorded(number, "r-1", datetime.now(UTC), event) for number, event in enumerate((*TRAJECTORY, done), 1)]
    old, new = spans(events[:-2]), spans(events)
    [execution] = [span for span in old if span.name == "execute_tool sandbox"]
    assert execution.parent.span_id in {span.context.span_id for span in old if span.name == "iteration"}
    assert [span.name for span in new] == ["invoke_agent refiner"]
    assert new[0].attributes["refiner.status"] == "done"
    assert new[0].context.trace_id == old[0].context.trace_id
    assert new[0].context.span_id != old[0].context.span_id


@pytest.mark.parametrize("address", ["localhost:4318", "ftp://localhost", "http://"])
def test_a_collector_has_an_address(address: str) -> None:
    with pytest.raises(UsageError, match="has to be an address"):
        tracer_of(Service(traces=address))


def test_without_the_extra_one_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tracer_of(Service()) is None
    monkeypatch.setitem(sys.modules, "refiner.service.traces", None)
    with pytest.raises(UsageError, match=r"pip install 'refiner\[otel\]'"):
        tracer_of(Service(traces="http://localhost:4318"))
