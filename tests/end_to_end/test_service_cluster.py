"""Services of several hosts at one PostgreSQL, and a store that goes away under a live service."""

import random
import resource
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from time import monotonic

import pytest

from refiner.client.client import Client
from refiner.domain.errors import StoreError
from refiner.service.feed import POLL
from tests.end_to_end.model import MENDED, QUESTION, mending, phase
from tests.end_to_end.program import Process, Program
from tests.end_to_end.test_service_crash import ENOUGH, PAD, Model
from tests.scripted import Asked, Outcome, Scripted
from tests.store.postgresql import Cluster


@dataclass(frozen=True)
class Host:
    """A host with its service, which answers."""

    program: Program
    client: Client
    service: Process


Start = Callable[..., list[Host]]


@pytest.fixture
def url(server: Cluster) -> str:
    return server.new_database()


@pytest.fixture
def start(refiner: Program, url: str, tmp_path: Path) -> Start:
    def begin(*names: str) -> list[Host]:
        hosts = []
        for name in names:
            program = refiner.under(REFINER_HOME=str(tmp_path / name), REFINER_DB=url, REFINER_SERVICE__RUNS="4")
            hosts.append(Host(program, program.client, program.serve("-q", "--queue", url)))
        return hosts

    return begin


def test_when_one_of_two_hosts_is_killed_the_other_finishes_its_runs(scripted: Scripted, start: Start) -> None:
    one, other = start("one", "other")
    model = Model(random.Random(7))
    model.service, model.left = one.service, 20
    scripted.script = model
    tasks = [{"input": f"Do task {number} step by step.", "settings": {"max_iterations": 9}} for number in range(8)]
    runs = [one.client.post("/v1/runs", task)["id"] for task in tasks]
    assert one.service.wait().code == -signal.SIGKILL
    while any(row["status"] != "done" for row in other.client.get("/v1/runs")):
        pass
    finished, interrupted = Counter[str](), 0
    for number, run in enumerate(runs):
        assert other.client.get(f"/v1/runs/{run}")["answer"].strip() == f"Step {ENOUGH} of task {number}. {PAD}".strip()
        for event in other.client.get(f"/v1/runs/{run}/events"):
            finished[f"{run} {event.get('key')}"] += event["type"] == "call-finished"
            interrupted += event["type"] == "call-failed" and event["error"] == "interrupted"
    finished += Counter()  # drops what never came back
    assert set(finished.values()) == {1}
    assert interrupted <= 4  # no more than it drove, and none where it was between two calls
    assert len(finished) <= len(scripted.asked) <= len(finished) + interrupted
    assert sum(row["calls"] for row in other.client.get("/v1/runs")) == len(finished) + interrupted


def test_a_run_is_steered_from_another_host_than_the_one_that_drives_it(scripted: Scripted, start: Start) -> None:
    (one,), hosts = start("one"), list[Host]()

    def status() -> str:
        (row,) = hosts[0].client.get("/v1/runs")
        return str(row["status"])

    def script(asked: Asked) -> Outcome:
        if not hosts:
            hosts.extend(start("other"))
            hosts[0].client.post("/v1/runs/@/pause")
            while status() != "paused":
                pass
        return mending(asked)

    scripted.script = script
    run = one.program("solve", QUESTION, "--detach").out.strip()
    while not hosts or status() != "paused":
        pass
    hosts[0].client.post(f"/v1/runs/{run}/resume")
    assert hosts[0].program("run", "watch", run, "--json").json["answer"] == MENDED
    assert len(scripted.asked) == 4


@pytest.mark.parametrize("queue", ["local", "cluster"])
def test_postgresql_goes_away_and_comes_back(
    refiner: Program, scripted: Scripted, server: Cluster, url: str, queue: str
) -> None:
    refiner = refiner.under(REFINER_DB=url)
    service = refiner.serve(*(["--queue", url] if queue == "cluster" else []), terminal=True)
    reached, stopped = Event(), Event()

    def script(asked: Asked) -> Outcome:
        if phase(asked) == "critique":
            reached.set()
            stopped.wait()
        return mending(asked)

    scripted.script = script
    run = refiner.client.post("/v1/runs", {"input": QUESTION})["id"]
    reached.wait()
    server.stop()
    stopped.set()
    service.said("goes on by itself")
    until = monotonic() + 3 * POLL
    while monotonic() < until:
        pass  # long enough for everything that polls to see it
    with pytest.raises(StoreError, match="cannot be reached"):
        refiner.client.get("/v1/runs")
    server.start()
    service.said("the store answers again")
    again = refiner.client.post("/v1/runs", {"input": QUESTION})["id"]
    for each in (run, again):
        assert refiner("run", "watch", each, "--json").json["answer"] == MENDED
    # The critique whose reply could not be written is bought again, and nothing else.
    assert Counter(map(phase, scripted.asked)) in ({"draft": 2, "critique": 4 + n, "update": 2} for n in (0, 1))
    service.signal(signal.SIGTERM)
    done = service.wait()
    assert done.code == 0
    assert "goes on by itself" not in done.err  # it was said once


def test_a_full_disk_is_waited_for(refiner: Program, scripted: Scripted) -> None:
    service = refiner.serve(terminal=True)

    def room(most: int) -> None:
        resource.prlimit(service.pid, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))

    def script(asked: Asked) -> Outcome:
        if len(scripted.asked) == 1:
            room(1)
        return mending(asked)

    scripted.script = script
    run = refiner.client.post("/v1/runs", {"input": QUESTION})["id"]
    service.said("goes on by itself")
    room(resource.RLIM_INFINITY)
    assert refiner("run", "watch", run, "--json").json["answer"] == MENDED
    assert refiner.client.get("/healthz")["ok"]


@pytest.mark.parametrize(
    ("where", "words"), [("sqlite:////x.db", "needs PostgreSQL"), ("mysql://x/y", "not supported"), ("x", "not a URL")]
)
def test_a_queue_that_cannot_be(refiner: Program, where: str, words: str) -> None:
    done = refiner("serve", "-q", "--queue", where)
    assert done.code == 2
    assert words in done.error
