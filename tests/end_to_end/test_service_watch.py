"""The service watched from outside: health, metrics, log and traces, and no key in any of them."""

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from socket import AF_UNIX, socket
from typing import Any

import pytest

from tests.end_to_end.model import QUESTION, mending, phase
from tests.end_to_end.program import KEYS, Done, Process, Program
from tests.end_to_end.test_secrets import written
from tests.scripted import Asked, Outcome, Scripted, status


def ended(process: Process) -> tuple[Done, list[dict[str, Any]]]:
    """What it wrote, and its log."""
    process.signal(signal.SIGTERM)
    done = process.wait()
    return done, [json.loads(line) for line in done.err.splitlines()]


def got(refiner: Program, place: str) -> tuple[int, str]:
    connection = HTTPConnection("localhost")
    connection.sock = socket(AF_UNIX)
    connection.sock.connect(str(refiner.socket))
    connection.request("GET", place)
    reply = connection.getresponse()
    text = reply.read().decode()
    connection.close()
    return reply.status, text


def samples(text: str) -> dict[str, float]:
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


@contextmanager
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """Where traces are sent, and what has come."""
    came: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            came.append(self.path.encode() + self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", came
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("family", KEYS)
def test_a_key_is_in_nothing_that_the_service_tells(family: str, refiner: Program, scripted: Scripted) -> None:
    key = KEYS[family]
    refused: list[str] = []

    def script(asked: Asked) -> Outcome:
        if phase(asked) == "critique":
            refused.append(asked.key)
            number = 500 if len(refused) == 1 else 401
            return status(number, f"Key {key} of {QUESTION} was refused", retry_after=0.01)
        return mending(asked)

    scripted.script = script
    with collector() as (url, came):
        seen = refiner.under(REFINER_SERVICE__TRACES=url, REFINER_RETRY__ATTEMPTS="2")
        service = seen.serve("-v")
        run = refiner("solve", QUESTION, "--detach", "-m", f"{family}:scripted").out.strip()
        watched = refiner("run", "watch", run)
        told = [
            got(refiner, place) for place in ("/metrics", "/readyz", "/healthz", f"/v1/runs/{run}/events", "/v1/no")
        ]
        done, log = ended(service)
    assert refused == [key, key]
    assert [code for code, _ in told] == [200, 200, 200, 200, 404]
    everything = "".join(text for _, text in told) + done.out + done.err + watched.out + watched.err
    everything += (b"".join(came) + written(refiner.home)).decode(errors="replace")
    assert "SECRET" not in everything
    assert key[-6:] not in everything

    assert [trace.startswith(b"/v1/traces") and b"invoke_agent refiner" in trace for trace in came] == [True]
    for text in (done.err.encode(), *came):
        assert QUESTION.encode() not in text
    [finished] = [line for line in log if line["event"] == "run finished"]
    assert (finished["run"], finished["status"], finished["stop"]) == (run, "failed", "error")
    failures = [line["error"] for line in log if line["event"] == "call failed"]
    assert len(failures) == 2
    assert "(401); check" in failures[1]
    events = [line["event"] for line in log if line["level"] != "debug"]
    assert (events[0], events[-1]) == ("service started", "service stopped")
    assert {"run begun", "call again", "request"} <= {*events}


def test_metrics_are_those_of_the_runs_that_it_drove(refiner: Program, scripted: Scripted) -> None:
    scripted.script = mending
    assert refiner("solve", QUESTION, "--no-daemon").code == 0  # another's
    service = refiner.serve()
    assert refiner("solve", QUESTION, "--daemon").code == 0
    while (metrics := samples(got(refiner, "/metrics")[1]))["refiner_live_runs"]:
        pass
    assert metrics['refiner_runs_total{status="done",stop="converged"}'] == 1
    assert metrics['refiner_iterations_total{reason="better",verdict="accepted"}'] == 1
    calls = {name: value for name, value in metrics.items() if name.startswith("refiner_calls_total")}
    assert sum(calls.values()) == 4
    assert metrics["refiner_queued_runs"] == 0
    assert metrics["refiner_commit_seconds_count"] > 0
    _, log = ended(service)
    assert [line["event"] for line in log] == ["service started", "run begun", "run finished", "service stopped"]
    assert log[2]["calls"] == 4


def test_what_is_missing_makes_it_unready_but_no_less_alive(refiner: Program) -> None:
    service = refiner.under(OPENAI_API_KEY=None, OPENAI_BASE_URL=None).serve("-q")
    code, text = got(refiner, "/readyz")
    assert (code, json.loads(text)["missing"]) == (503, ["openai has no key: set OPENAI_API_KEY"])
    done = refiner("solve", QUESTION, "--daemon", "--json")
    said = "openai needs a key: set OPENAI_API_KEY"
    assert (done.code, done.json["error"]["kind"], done.json["error"]["message"]) == (2, "usage", said)
    assert f"refiner: error: {said}\n" in done.err
    assert said in refiner("run", "watch", "@").err
    shown = refiner("daemon", "status")
    assert (shown.code, "openai has no key" in shown.err) == (0, True)
    assert got(refiner, "/healthz")[0] == 200
    assert ended(service)[1] == []
