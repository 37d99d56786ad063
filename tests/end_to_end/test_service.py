"""The service as its users see it: runs are handed in, followed, steered, and outlive it."""

import json
import signal
import socket
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from refiner.client.client import Client
from refiner.domain.errors import NotFoundError, RefinerError, UsageError
from tests.end_to_end.conftest import Start
from tests.end_to_end.model import CALLS, MENDED, QUESTION, mending, phase
from tests.end_to_end.program import KEYS, Program
from tests.scripted import STALL, Asked, Outcome, Scripted, status
from tests.store.postgresql import Cluster

both_queues = pytest.mark.parametrize("refiner", ["local", "cluster"], indirect=True)


@pytest.fixture
def refiner(refiner: Program, request: pytest.FixtureRequest) -> Program:
    """The program, at PostgreSQL where its service is to have the queue of several hosts."""
    if getattr(request, "param", "local") == "local":
        return refiner
    server: Cluster = request.getfixturevalue("server")
    return refiner.under(REFINER_DB=server.new_database())


@both_queues
def test_solve_by_the_service_is_as_solve(refiner: Program, scripted: Scripted, start: Start) -> None:
    scripted.script = mending
    service = start()
    done = refiner("solve", QUESTION, "--daemon")
    assert (done.code, done.out) == (0, MENDED + "\n")
    assert "stopped: converged" in done.err
    told = refiner("solve", QUESTION, "--daemon", "--json", "-s", "textgrad").json
    assert (told["answer"], told["strategy"], told["usage"]["calls"]) == (MENDED, "textgrad", CALLS["textgrad"])
    assert refiner("run", "show", "@", "--json").json == told
    scripted.script = lambda _: status(401)
    done = refiner("solve", QUESTION, "--daemon", "--json")
    assert (done.code, done.json["error"]["kind"]) == (5, "provider_auth")
    service.signal(signal.SIGTERM)
    assert service.wait().code == 0


def test_a_detached_run_is_committed_and_is_done_without_anybody(
    refiner: Program, scripted: Scripted, start: Start
) -> None:
    scripted.script = mending
    start()
    done = refiner("solve", QUESTION, "--detach")
    assert (done.code, done.err) == (0, "")
    run = done.out.strip()
    watched = refiner("run", "watch", run, "--json")
    assert (watched.code, watched.json["answer"]) == (0, MENDED)
    status = refiner("daemon", "status", "--json").json
    assert set(status) == {"socket", "pid", "version", "runs"}


def test_code_goes_to_the_service_with_its_tests(refiner: Program, scripted: Scripted, start: Start) -> None:
    scripted.script = "```python\ndef add(a, b):\n    return a + b\n```"
    (refiner.folder / "buggy.py").write_text("def add(a, b):\n    return a - b\n")
    (refiner.folder / "test_buggy.py").write_text("from buggy import add\n\nassert add(1, 2) == 3\n")
    start()
    done = refiner("solve", "buggy.py", "--tests", "test_buggy.py", "--daemon", "--set", "code.scrutiny=false")
    assert (done.code, done.out) == (0, "def add(a, b):\n    return a + b\n")


def test_where_no_service_is(refiner: Program) -> None:
    for words in (("solve", QUESTION, "--daemon"), ("solve", QUESTION, "--detach"), ("daemon", "status")):
        done = refiner(*words, "--json")
        assert (done.code, done.json["error"]["kind"]) == (6, "daemon_unreachable")
        assert "`refiner serve` starts one" in done.error
    assert refiner("ps", "--json").json == []  # it looks into the store itself
    assert not refiner.socket.exists()


def test_one_service_at_a_socket(refiner: Program, start: Start) -> None:
    first = start()
    second = refiner("serve", "-q")
    assert second.code == 6
    assert f"process {first.pid}" in second.error
    assert oct(refiner.socket.stat().st_mode)[-3:] == "600"
    assert oct(refiner.socket.parent.stat().st_mode)[-3:] == "700"
    first.signal(signal.SIGKILL)
    first.wait()
    assert refiner.socket.exists()  # stale, and in nobody's way
    assert refiner("daemon", "stop").code == 6
    start()
    assert refiner("daemon", "stop").code == 0


def test_what_is_no_socket_stays_where_it_is(refiner: Program) -> None:
    refiner.socket.parent.mkdir(parents=True)
    refiner.socket.write_text("mine")
    done = refiner("serve", "-q")
    assert done.code == 6
    assert "is no socket" in done.error
    assert refiner.socket.read_text() == "mine"


def test_the_socket_may_be_elsewhere(refiner: Program, tmp_path: Path) -> None:
    other = refiner.under(REFINER_SOCKET=str(tmp_path / "s" / "own.sock"))
    process = other.start("serve")
    while not (tmp_path / "s" / "own.sock").exists():
        assert process.running
    while other("daemon", "status").code:
        pass
    assert refiner("daemon", "status").code == 6


def test_a_submission_that_is_repeated_is_one_run(client: Client, scripted: Scripted, start: Start) -> None:
    scripted.script = mending
    start()
    body = {"input": QUESTION, "submitter": "ada"}
    runs = {client.post("/v1/runs", body, {"Idempotency-Key": "k-1"})["id"] for _ in range(3)}
    assert len(runs) == 1
    assert client.post("/v1/runs", body)["id"] not in runs


@pytest.mark.parametrize(
    ("method", "place", "body", "error", "words"),
    [
        ("post", "/v1/runs", {"inptu": "x"}, UsageError, "input: Field required"),
        ("post", "/v1/runs", {"input": "x", "colour": 1}, UsageError, "colour"),
        ("post", "/v1/runs", {"input": "x", "settings": {"max_cots": 1}}, UsageError, "max_cost"),
        ("post", "/v1/runs", {"input": " "}, UsageError, "the input is empty"),
        ("post", "/v1/runs", {"input": "x" * (17 << 20)}, UsageError, "larger than 16 MiB"),
        ("post", "/v1/runs/r-zzzz/pause", {}, NotFoundError, "no run is called"),
        ("post", "/v1/runs/@/explode", {}, NotFoundError, "no address /v1/runs/@/explode"),
        ("post", "/v1/runs/@/pause", {"hard": True}, UsageError, "hard"),
        ("post", "/v1/runs/@/pause?hard=1", {}, UsageError, "no parameter 'hard'"),
        ("patch", "/v1/runs/@/budget", {"max_calls": -1}, UsageError, "max_calls"),
    ],
)
def test_what_cannot_be_taken_is_told(
    client: Client, start: Start, method: str, place: str, body: object, error: type[RefinerError], words: str
) -> None:
    start()
    with pytest.raises(error, match=words):
        getattr(client, method)(place, body)


def test_events_are_replayed_from_the_last_one_that_was_seen(
    client: Client, refiner: Program, scripted: Scripted, start: Start
) -> None:
    scripted.script = mending
    start()
    run = refiner("solve", QUESTION, "--detach").out.strip()
    refiner("run", "watch", run)
    whole = client.get(f"/v1/runs/{run}/events")
    for after in (0, whole[3]["id"], whole[-2]["id"]):
        seen = []
        for kind, told in client.events("/v1/events", after):
            assert kind == told["type"]
            seen.append(told)
            if kind == "run-finished":
                break
        assert seen == [event for event in whole if event["id"] > after]
    assert all(one["id"] < other["id"] for one, other in pairwise(whole))


@both_queues
def test_a_killed_service_goes_on_with_its_runs_and_buys_nothing_twice(
    refiner: Program, scripted: Scripted, start: Start
) -> None:
    services = [start()]

    def script(asked: Asked) -> Outcome:
        if phase(asked) == "update" and len(services) == 1:
            services[0].signal(signal.SIGKILL)
            services[0].wait()
            services.append(services[0])
        return mending(asked)

    scripted.script = script
    run = refiner("solve", QUESTION, "--detach").out.strip()
    while len(services) == 1:
        pass
    start()
    assert refiner("run", "watch", run, "--json").json["answer"] == MENDED
    # The call that was under way is bought again; nothing else is.
    assert Counter(map(phase, scripted.asked)) == {"draft": 1, "critique": 2, "update": 2}
    assert refiner("run", "show", run, "--json").json["usage"]["calls"] == len(scripted.asked)


@both_queues
def test_a_service_that_is_told_to_end_goes_on_at_its_next_start(
    refiner: Program, scripted: Scripted, start: Start
) -> None:
    services = [start()]

    def script(asked: Asked) -> Outcome:
        if phase(asked) == "critique" and len(services) == 1:
            services[0].signal(signal.SIGTERM)
            services.append(services[0])
        return mending(asked)

    scripted.script = script
    run = refiner("solve", QUESTION, "--detach").out.strip()
    assert services[0].wait().code == 0
    assert refiner("run", "list", "--json").json[0]["status"] == "queued"
    start()
    while refiner("run", "list", "--json").json[0]["status"] != "done":
        pass
    assert refiner("run", "answer", run).out == MENDED + "\n"
    assert max(Counter(asked.last for asked in scripted.asked).values()) == 1


def test_a_reader_that_does_not_read_does_not_keep_a_service_alive(
    client: Client, refiner: Program, start: Start
) -> None:
    service = start()
    client.post("/v1/runs", {"input": "long " * 200_000})
    with socket.socket(socket.AF_UNIX) as reader:
        reader.connect(str(refiner.socket))
        reader.sendall(b"GET /v1/events?after=0 HTTP/1.1\r\nHost: x\r\n\r\n")
        reader.recv(1, socket.MSG_PEEK)
        service.signal(signal.SIGTERM)
        assert service.wait().code == 0


def test_a_key_outlives_the_service(client: Client, start: Start) -> None:
    body, key = {"input": QUESTION}, {"Idempotency-Key": "k-1"}
    service = start()
    run = client.post("/v1/runs", body, key)
    service.signal(signal.SIGKILL)
    service.wait()
    start()
    assert client.post("/v1/runs", body, key) == run
    assert [line["id"] for line in client.get("/v1/runs")] == [run["id"]]


@both_queues
def test_a_pause_over_the_api_outlives_the_service(
    client: Client, refiner: Program, scripted: Scripted, start: Start
) -> None:
    service = start()
    asked: list[str] = []

    def script(request: Asked) -> Outcome:
        if not asked:
            asked.append(client.get("/v1/runs")[0]["id"])
            client.post(f"/v1/runs/{asked[0]}/pause")
            while client.get("/v1/runs")[0]["status"] != "paused":
                pass
        return mending(request)

    scripted.script = script
    run = refiner("solve", QUESTION, "--detach").out.strip()
    while client.get("/v1/runs")[0]["status"] != "paused":
        pass
    assert refiner("ps", "--json").json[0]["status"] == "paused"
    service.signal(signal.SIGKILL)
    service.wait()
    start()
    while client.get("/v1/runs")[0]["status"] != "paused":  # it is found paused, and stays so
        pass
    client.post(f"/v1/runs/{run}/resume")
    assert refiner("run", "watch", run, "--json").json["answer"] == MENDED
    words = [event["word"]["control"] for event in client.get(f"/v1/runs/{run}/events") if event["type"] == "steered"]
    assert words == ["pause", "pause", "resume"]


def test_a_run_that_waits_is_taken_out_of_the_queue(
    client: Client, refiner: Program, scripted: Scripted, start: Start
) -> None:
    scripted.script = lambda _: STALL
    service = start("--set", "service.runs=1")
    first, second, third = (refiner("solve", QUESTION, "--detach").out.strip() for _ in range(3))
    while not scripted.asked:
        pass
    assert refiner("run", "cancel", second).code == 0
    client.post(f"/v1/runs/{third}/stop")
    watched = refiner("run", "watch", second, "--json")
    assert (watched.code, watched.json["status"], watched.json["usage"]["calls"]) == (130, "interrupted", 0)
    assert [row["id"] for row in refiner("ps", "--json").json] == [first]
    service.signal(signal.SIGKILL)
    service.wait()
    assert [(row["id"], row["status"]) for row in refiner("ps", "--json").json] == [(first, "queued")]
    assert refiner("run", "watch", first, "--timeout", "1").code == 124  # the next service goes on with it
    assert len(scripted.asked) == 1


def test_who_waits_for_the_service_is_told_how_to_come_back(refiner: Program, scripted: Scripted, start: Start) -> None:
    scripted.script = lambda _: STALL
    service = start()
    left = refiner.start("solve", QUESTION, "--daemon", terminal=True)
    left.said("drafting")
    left.interrupt()
    done = left.wait()
    assert (done.code, "`refiner run watch r-" in done.err) == (130, True)
    lost = refiner.start("solve", QUESTION, "--daemon", "--json")
    while len(scripted.asked) < 2:
        pass
    run = refiner("ps", "--json").json[0]["id"]
    service.signal(signal.SIGKILL)
    service.wait()
    done = lost.wait()
    error = done.json["error"]
    assert (done.code, error["kind"], error["run"]) == (6, "daemon_unreachable", run)
    assert f"`refiner run watch {run}` follows" in done.error


def test_a_fork_over_the_api(client: Client, refiner: Program, scripted: Scripted, start: Start) -> None:
    scripted.script = mending
    start()
    run = refiner("solve", QUESTION, "--daemon", "--json").json["id"]
    fork = client.post(f"/v1/runs/{run}/fork", {"iteration": 0, "critique": "Say it in verse.\nVerdict: flawed"})["id"]
    refiner("run", "watch", fork)
    assert any("Say it in verse." in asked.last for asked in scripted.asked)
    assert client.get(f"/v1/runs/{fork}/events")[0]["fork"] == f"{run}@0/0"


def test_a_key_is_in_nothing_that_the_service_tells(
    client: Client, refiner: Program, scripted: Scripted, start: Start
) -> None:
    scripted.script = mending
    start()
    run = refiner("solve", QUESTION, "--detach").out.strip()
    refiner("run", "watch", run)
    told = json.dumps([client.get(place) for place in ("/v1/runs", f"/v1/runs/{run}", f"/v1/runs/{run}/events")])
    assert not any(key in told for key in KEYS.values())


@pytest.mark.parametrize("words", ["solve Why? --detach", "solve Why? --daemon", "ps", "daemon status"])
def test_a_client_imports_neither_sdks_nor_a_database(
    refiner: Program, scripted: Scripted, start: Start, words: str
) -> None:
    scripted.script = mending
    start()
    look = (
        f"import sys; from refiner.cli.main import main; code = main({words.split()!r} + ['-q']); print(code,"
        "[name for name in ('openai', 'anthropic', 'sqlalchemy', 'sqlmodel', 'textual') if name in sys.modules])"
    )
    environ = {**refiner.environ, "PATH": ""}
    done = subprocess.run([sys.executable, "-c", look], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 []"
