"""What the service counts, in Prometheus' words: the events of its own runs since it started, and what is now."""

from collections import defaultdict
from collections.abc import Sequence
from importlib.metadata import version

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import choose_encoder

from refiner.domain.calls import Usage
from refiner.domain.events import (
    CallFailed,
    CallFinished,
    CallStarted,
    Candidate,
    Decision,
    Executed,
    Recorded,
    RunFinished,
)
from refiner.service.faults import kind_of

MODELS = 50
"""Models that are told apart; users name them, so the others are "other"."""

LONGEST = 80
"""Characters of a model's name in a label."""

_CALL = ("provider", "model", "role")
_OTHER = ("other", "other")
_LATENCY = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320)
_QUICK = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5)
_PROBLEMS = frozenset({"unreadable", "empty", "truncated", "echoed", "unchanged", "vetoed"})


class Metrics:
    """A registry of its own; `heard` folds the events, the rest is set by whoever knows it."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # a second series for each
        self.registry = CollectorRegistry()
        self.runs = self._counter("runs", "Runs that ended, by status and stop reason.", ("status", "stop"))
        self.iterations = self._counter("iterations", "Updates, by the gate's verdict.", ("verdict", "reason"))
        self.executions = self._counter("executions", "Programs run against tests.", ("outcome",))
        self.calls = self._counter("calls", "Calls that ended.", (*_CALL, "outcome"))
        self.retries = self._counter("call_retries", "Calls made after a failed one at the same place.", _CALL[:2])
        self.failures = self._counter("call_failures", "Failed calls: HTTP status or kind.", (*_CALL[:2], "reason"))
        self.tokens = self._counter("tokens", "Tokens; input has the cached, output the reasoning.", (*_CALL, "type"))
        self.cost = self._counter("cost_usd", "US dollars of the calls whose price is known.", _CALL)
        self.latency = self._histogram("call_seconds", "Time to a whole reply.", _LATENCY, _CALL)
        self.commit = self._histogram("commit_seconds", "Time of a transaction of the store.", _QUICK)
        self.lag = self._histogram("loop_lag_seconds", "How late the loop came to a beat, each second.", _QUICK)
        self.queued = self._gauge("queued_runs", "Runs that wait in the queue.")
        self.live = self._gauge("live_runs", "Runs that the service drives.")
        self.listeners = self._gauge("event_listeners", "Readers of the event stream.")
        Info("refiner_build", "The program.", registry=self.registry).info({"version": version("refiner")})
        ProcessCollector(registry=self.registry)
        self._models: set[tuple[str, str]] = set()
        self._out: defaultdict[str, dict[str, tuple[str, str, str]]] = defaultdict(dict)
        self._problems: defaultdict[str, dict[tuple[int, int], str | None]] = defaultdict(dict)

    def heard(self, recorded: Recorded) -> None:
        """Count a committed event of a run that this service drives."""
        run = recorded.run
        match recorded.event:
            case CallStarted(key=key, attempt=attempt, model=model, role=role):
                named = self._named(model)
                self._out[run][f"{key}#{attempt}"] = (*named, str(role))
                if attempt:
                    self.retries.labels(*named).inc()
            case CallFinished(key=key, attempt=attempt, reply=reply):
                call = self._ended(run, key, attempt)
                self.calls.labels(*call, "answered").inc()
                self.latency.labels(*call).observe(reply.seconds)
                self._used(call, reply.usage)
            case CallFailed(key=key, attempt=attempt, error=error, booked=booked):
                call = self._ended(run, key, attempt)
                self.calls.labels(*call, "failed").inc()
                self.failures.labels(*call[:2], kind_of(error)).inc()
                self._used(call, booked)
            case Executed(execution=execution):
                self.executions.labels(str(execution.outcome)).inc()
            case Candidate(chain=chain, index=index, problem=problem):
                self._problems[run][chain, index] = problem
            case Decision(chain=chain, index=index, accepted=accepted) if index:
                problem = self._problems[run].get((chain, index))
                reason = "better" if accepted else problem if problem in _PROBLEMS else "no-better"
                self.iterations.labels("accepted" if accepted else "rolled-back", reason).inc()
            case RunFinished(status=status, stop=stop):
                self.runs.labels(status, str(stop.reason)).inc()
                self._out.pop(run, None)
                self._problems.pop(run, None)

    def exposed(self, accept: str = "") -> tuple[bytes, str]:
        """All of it as text, and the content type, in the format that the reader accepts."""
        encode, kind = choose_encoder(accept)
        return encode(self.registry), kind

    def _used(self, call: tuple[str, str, str], usage: Usage) -> None:
        kinds = {
            "input": usage.input_tokens,
            "cached": usage.cached_input_tokens,
            "output": usage.output_tokens,
            "reasoning": usage.reasoning_tokens,
        }
        for kind, tokens in kinds.items():
            self.tokens.labels(*call, kind).inc(tokens)
        self.cost.labels(*call).inc(usage.cost_usd or 0.0)

    def _ended(self, run: str, key: str, attempt: int) -> tuple[str, str, str]:
        """Who was called; a call that an earlier service made is known by its role alone."""
        role = next(iter(key.split("/")[2:3]), "other")
        return self._out[run].pop(f"{key}#{attempt}", (*_OTHER, role))

    def _named(self, model: str) -> tuple[str, str]:
        provider, _, name = model.partition(":")
        pair = (provider[:LONGEST], (name or provider)[:LONGEST])
        if pair not in self._models and len(self._models) >= MODELS:
            return _OTHER
        self._models.add(pair)
        return pair

    def _counter(self, name: str, says: str, labels: Sequence[str] = ()) -> Counter:
        return Counter(name, says, labels, namespace="refiner", registry=self.registry)

    def _gauge(self, name: str, says: str) -> Gauge:
        return Gauge(name, says, namespace="refiner", registry=self.registry)

    def _histogram(self, name: str, says: str, buckets: Sequence[float], labels: Sequence[str] = ()) -> Histogram:
        return Histogram(name, says, labels, namespace="refiner", buckets=buckets, registry=self.registry)
