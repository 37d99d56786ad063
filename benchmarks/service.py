"""The service as a process of its own: how soon it tells, what it takes, idle and busy, and how soon it is back.

`python -m benchmarks.service [--quick]`; the provider is another process. Processor time and memory are those of the
service, as the kernel counts them. An event's way to its subscribers begins before it is committed.
"""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from benchmarks.client import ITERATIONS, TASK
from benchmarks.figures import Figure, show
from benchmarks.processes import home, server
from refiner.client.client import Client
from refiner.domain.errors import DaemonError

LATENCY, CONCURRENCY = 0.1, 256
SLOWLY = 2.0
"""Seconds a call where runs are to be live while something else is measured."""
PACE = 0.02
"""Seconds from one piece of a reply to the next: some fifty tokens a second."""

SUBMISSIONS, SUBSCRIBERS, LIVE, QUEUED, BESIDE, LOOKS, IDLE = 50, 50, 1000, 5000, 200, 300, 30.0


def measure(*, quick: bool = False) -> list[Figure]:
    """Milliseconds, megabytes and shares of a core, each of a service that begins with an empty store."""
    some = 10 if quick else 1
    return [
        *_idle(IDLE / some),
        *_begun(SUBMISSIONS // some),
        *_followed(SUBSCRIBERS),
        *_busy(LIVE // some),
        *_queued(QUEUED // some, BESIDE // some, LOOKS // some),
    ]


def _idle(seconds: float) -> list[Figure]:
    with home() as env, _serving(env, 8) as service:
        time.sleep(2)
        began = service.processor
        time.sleep(seconds)
        share = 100 * (service.processor - began) / seconds
        beside = f"over {seconds:.0f} s"
        return [
            Figure("service: processor while idle", share, "% of a core", 0.5, beside=beside),
            Figure("service: memory while idle", service.memory, "MB", 150),
        ]


def _moment(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()


def _begun(submissions: int) -> list[Figure]:
    with home() as env, server("benchmarks.provider", LATENCY, env=env) as url, _serving(env, 8, url) as service:
        waits = asyncio.run(_waits(service, submissions))
    # The first run of a service waits for the SDK to be imported.
    beside = _spread(waits[1:], "submissions")
    return [Figure("service: submit to first event", median(waits[1:]), "ms", 20, beside=beside)]


async def _waits(service: "Service", submissions: int) -> list[float]:
    (subscriber,) = await service.subscribed(1)
    waits = []
    for number in range(submissions + 1):
        began = time.time()
        run = await asyncio.to_thread(service.submit, number)
        await subscriber.heard(run, "run-finished")
        waits.append(1000 * (min(at for at, told in subscriber.told() if told["run"] == run) - began))
    return waits


def _followed(subscribers: int) -> list[Figure]:
    """One run, whose text is followed at the pace of a model; and eight at once."""
    figures = []
    for runs, name, target in ((1, "p95", 5), (8, "p95 of 8 runs", None)):
        with home() as env, server("benchmarks.provider", 0.5, PACE, env=env) as url, _serving(env, 8, url) as service:
            late, events, deltas, used = asyncio.run(_lags(service, subscribers, runs))
        each = 1e6 * used / (events + deltas) / subscribers
        beside = (
            f"{subscribers} subscribers, {events} events and {deltas} pieces of text: {each:.0f} µs of processor each"
        )
        figure = Figure(f"service: event to subscriber, {name}", _p95(late), "ms", target,
                        beside=f"{beside}, {_spread(late, 'times')}")  # fmt: skip
        figures.append(figure)
    return figures


async def _lags(service: "Service", subscribers: int, runs: int) -> tuple[list[float], int, int, float]:
    """Milliseconds of each event to each subscriber, how many events and pieces of text, and processor seconds."""
    (first,) = await service.subscribed(1)
    await first.heard(service.submit(-1), "run-finished")  # the SDK is imported by then
    many, used = await service.subscribed(subscribers), service.processor
    for run in [service.submit(number) for number in range(runs)]:
        await many[0].heard(run, "run-finished")
    used = service.processor - used
    late = [1000 * (at - _moment(told["at"])) for each in many for at, told in each.told()]
    return late, len(many[0].told()), many[0].deltas, used


def _busy(runs: int) -> list[Figure]:
    with home() as env, server("benchmarks.provider", SLOWLY, env=env) as url:
        with _serving(env, runs, url) as service:
            began, used = time.perf_counter(), service.processor
            service.submit_all(runs)
            while service.found("count(DISTINCT run_id) FROM candidates") < runs:
                time.sleep(0.25)
            live, calls = service.client.get("/readyz")["live"], service.found("sum(calls) FROM runs")
            took, used = time.perf_counter() - began, service.processor - used
            memory, owner = service.memory, service.found("max(owner) FROM runs")
            service.kill()
        left = service.found("count(*) FROM runs WHERE status = 'running'")
        began = time.perf_counter()
        with _serving(env, runs, url) as service:
            answers = time.perf_counter() - began
            while service.found(f"count(*) FROM runs WHERE status = 'running' AND owner <> '{owner}'") < left:
                time.sleep(0.01)
            adopted, busy = time.perf_counter() - began, service.processor
            while service.found("count(*) FROM events WHERE type = 'run-resumed'") < left:
                time.sleep(0.05)
            on = time.perf_counter() - began
    beside = f"{live:,} live, {calls:,} calls in {took:.1f} s, {1000 * used / calls:.1f} ms of processor a call"
    start = f"from the start of the process, which answers after {answers:.2f} s; {busy:.2f} s of processor"
    return [
        Figure(f"service: memory with {runs:,} live runs", memory, "MB", 700, beside=beside),
        Figure(
            f"service: adoption of {left:,} runs", adopted, "s", 2, beside=f"{start}; the last goes on at {on:.1f} s"
        ),
    ]


def _queued(queued: int, live: int, looks: int) -> list[Figure]:
    with home() as env, server("benchmarks.provider", 5 * SLOWLY, env=env) as url, _serving(env, live, url) as service:
        before = service.memory
        service.submit_all(queued + live)
        waits = []
        for _ in range(looks):
            began = time.perf_counter()
            service.client.get("/v1/runs")
            waits.append(1000 * (time.perf_counter() - began))
            time.sleep(0.01)
        memory, rows = service.memory, service.client.get("/v1/runs?limit=10000")
        waiting = service.found("count(*) FROM runs WHERE status = 'queued'")
        beside = f"{waiting:,} queued, {service.client.get('/readyz')['live']} live of {len(rows):,}"
        return [
            Figure("service: list of runs, p95", _p95(waits), "ms", 50, beside=f"{beside}, {_spread(waits, 'looks')}"),
            Figure("service: memory with a long queue", memory, "MB", beside=f"{beside}; {before:.0f} MB when empty"),
        ]


@dataclass(frozen=True, slots=True)
class Service:
    """A service that answers."""

    folder: Path
    process: "subprocess.Popen[bytes]"

    @property
    def client(self) -> Client:
        return Client(self.socket)

    @property
    def socket(self) -> Path:
        return self.folder / "runtime" / "refiner.sock"

    @property
    def processor(self) -> float:
        """Seconds that it has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def memory(self) -> float:
        """Megabytes: the most that it has had so far."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024

    def submit(self, number: int) -> str:
        task = {"input": TASK.format(number), "submitter": f"user {number % 10}"}
        return str(self.client.post("/v1/runs", task)["id"])

    def submit_all(self, runs: int) -> None:
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(self.submit, range(runs)))

    def found(self, what: str) -> Any:
        """A value that its database holds."""
        with closing(sqlite3.connect(self.folder / "data" / "refiner.db")) as database:
            return database.execute(f"SELECT {what}").fetchone()[0]

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    async def subscribed(self, count: int) -> list["Subscriber"]:
        """So many subscribers to all events."""
        loop = asyncio.get_running_loop()
        made = [await loop.create_unix_connection(Subscriber, str(self.socket)) for _ in range(count)]
        for _, subscriber in made:
            await subscriber.answered.wait()
        return [subscriber for _, subscriber in made]


class Subscriber(asyncio.Protocol):
    """Notes when each event comes, and reads it later."""

    def __init__(self) -> None:
        self.answered = asyncio.Event()
        self.deltas = 0
        self._rest = b""
        self._lines: list[tuple[float, bytes]] = []
        self._told: list[tuple[float, dict[str, Any]]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")

    def data_received(self, data: bytes) -> None:
        now = time.time()
        self.answered.set()
        *lines, self._rest = (self._rest + data).split(b"\r\n")
        self.deltas += sum(line == b"event: delta" for line in lines)
        self._lines += [(now, line) for line in lines if line.startswith(b'data: {"id"')]

    async def heard(self, run: str, kind: str) -> None:
        """Wait until it has heard of it."""
        while not any(told["run"] == run and told["type"] == kind for _, told in reversed(self.told())):
            self.answered.clear()
            await self.answered.wait()

    def told(self) -> list[tuple[float, dict[str, Any]]]:
        """The events so far, and when they came."""
        new = self._lines[len(self._told) :]
        self._told += [(at, json.loads(line.removeprefix(b"data: "))) for at, line in new]
        return self._told


@contextmanager
def _serving(env: dict[str, str], runs: int, url: str = "http://127.0.0.1:9/v1") -> Iterator[Service]:
    """A service that drives so many runs at a time, with the provider at the URL."""
    own = {
        "OPENAI_API_KEY": "none",
        "REFINER_MODEL": "openai:scripted",
        "REFINER_BASE_URL": url,
        "REFINER_STRATEGY": "refine",
        "REFINER_ANSWER_TYPE": "text",
        "REFINER_MAX_ITERATIONS": str(ITERATIONS),
        "REFINER_SERVICE__RUNS": str(runs),
        "REFINER_PROVIDERS__OPENAI__CONCURRENCY": str(CONCURRENCY),
    }
    folder = env["REFINER_HOME"]
    command: list[str | Path] = [Path(sys.executable).with_name("refiner"), "serve", "-q"]
    with subprocess.Popen(command, cwd=folder, env=env | own) as process:
        try:
            service = Service(Path(folder), process)
            while not _answers(service):
                if process.poll() is not None:
                    raise SystemExit("the service did not start")
                time.sleep(0.01)
            yield service
        finally:
            process.kill()


def _answers(service: Service) -> bool:
    try:
        service.client.get("/healthz")
    except DaemonError:
        return False
    return True


def _p95(values: list[float]) -> float:
    return quantiles(values, n=20)[-1]


def _spread(values: list[float], of: str) -> str:
    return f"{len(values):,} {of}, median {median(values):.2f}, p95 {_p95(values):.2f}, most {max(values):.1f} ms"


def main() -> None:
    show(measure(quick="--quick" in sys.argv[1:]))


if __name__ == "__main__":
    main()
