"""What the events of runs come to in the metrics."""

from datetime import UTC, datetime

import pytest

from refiner.domain.calls import Role, Usage
from refiner.domain.events import CallFailed, CallStarted, Event, Recorded
from refiner.service.faults import kind_of
from refiner.service.metrics import MODELS, Metrics
from tests.store.samples import TRAJECTORY


def counted(*events: Event) -> Metrics:
    metrics = Metrics()
    for number, event in enumerate(events):
        metrics.heard(Recorded(number, "r-1", datetime.now(UTC), event))
    return metrics


def test_events_are_counted_by_what_they_say() -> None:
    metrics = counted(*TRAJECTORY)
    call = {"provider": "openai", "model": "x", "role": "answer"}
    told: list[tuple[str, dict[str, str], float]] = [
        ("runs_total", {"status": "interrupted", "stop": "signal"}, 1),
        ("iterations_total", {"verdict": "rolled-back", "reason": "empty"}, 1),
        ("executions_total", {"outcome": "failed"}, 1),
        ("calls_total", {**call, "outcome": "answered"}, 1),
        ("calls_total", {**call, "outcome": "failed"}, 1),
        ("call_retries_total", {"provider": "openai", "model": "x"}, 2),
        ("call_failures_total", {"provider": "openai", "model": "x", "reason": "other"}, 1),
        ("tokens_total", {**call, "type": "input"}, 190),
        ("tokens_total", {**call, "type": "cached"}, 40),
        ("tokens_total", {**call, "type": "output"}, 550),
        ("tokens_total", {**call, "type": "reasoning"}, 10),
        ("cost_usd_total", call, 0.75),
        ("call_seconds_count", call, 1),
        ("call_seconds_sum", call, 1.5),
    ]
    for name, labels, value in told:
        assert metrics.registry.get_sample_value(f"refiner_{name}", labels) == value, name


def test_users_cannot_make_ever_more_series() -> None:
    def calls(number: int) -> tuple[Event, ...]:
        started = CallStarted("0/0/answer/x", number, Role.ANSWER, f"mine-{number}:m", "", (), 1, Usage())
        return started, CallFailed("0/0/answer/x", number, "interrupted", Usage())

    metrics = counted(*(event for number in range(3 * MODELS) for event in calls(number)))
    [family] = [family for family in metrics.registry.collect() if family.name == "refiner_calls"]
    providers = {sample.labels["provider"] for sample in family.samples}
    assert len(providers) == MODELS + 1
    assert "other" in providers


def test_a_call_of_a_dead_service_is_counted_by_its_role() -> None:
    metrics = counted(CallFailed("2/1/critic/loss", 0, "interrupted", Usage(1, 5, 0, 5)))
    told = {"provider": "other", "model": "other", "role": "critic", "outcome": "failed"}
    assert metrics.registry.get_sample_value("refiner_calls_total", told) == 1


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("openai:x: too many calls for the key (429), wait or lower --concurrency: why (500)", "429"),
        ("openai:x: the provider failed (503), try again later: timed out", "503"),
        ("openai:x: cannot reach host, check the network and the base URL: (401)", "unreachable"),
        ("openai:x: the reply was cut off; try again", "broken"),
        ("interrupted", "interrupted"),
        ("whatever (1234)", "other"),
    ],
)
def test_kinds_of_failures_come_from_our_own_words(error: str, kind: str) -> None:
    assert kind_of(error) == kind
