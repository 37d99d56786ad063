"""What no client of ours would send: each is answered in one form, none is a bug of the service."""

import json
import resource

import pytest

from refiner.config.settings import field, keys
from refiner.config.solving import SOLVING
from refiner.service import openapi
from tests.service.live import Live

GOOD = {"input": "Why?"}
JSON = {"Content-Type": "application/json"}
DEEP = '{"input": "x", "settings": ' + '{"vote":' * 100_000 + "1" + "}" * 100_001
HUGE = "9" * 5_000
NUL = json.dumps({"input": "a\0b"})


@pytest.mark.parametrize(
    ("status", "method", "place", "body", "words"),
    [
        (404, "GET", "/v2/runs", "", "there is no address /v2/runs"),
        (404, "GET", "/v1/runs/", "", "there is no address"),
        (404, "GET", "/v1/runs/%FF%00%zz", "", "no run is called"),
        (404, "GET", f"/v1/runs/{'x' * 10_000}", "", "no run is called"),
        (405, "DELETE", "/v1/runs", "", "takes no DELETE"),
        (400, "GET", "/v1/runs?colour=red", "", "no parameter 'colour'"),
        (400, "GET", f"/v1/runs?limit={HUGE}", "", "limit: not a whole number"),
        (400, "GET", "/v1/runs?limit=%D9%A3", "", "limit: not a whole number"),
        (400, "GET", f"/v1/runs/@/events?after={1 << 63}", "", "after: Input should be less"),
        (400, "POST", "/v1/runs", '{"input": ', "Invalid JSON"),
        (400, "POST", "/v1/runs", "[1]", "should be an object"),
        (400, "POST", "/v1/runs", DEEP, "recursion limit"),
        (400, "POST", "/v1/runs", '{"input": "\\ud800"}', "unexpected end of hex escape"),
        (400, "POST", "/v1/runs", b'{"input": "\xff"}', "Invalid JSON"),
        (400, "POST", "/v1/runs", NUL, "the character NUL"),
        (400, "POST", "/v1/runs", {**GOOD, "priority": 101}, "priority: Input should be less"),
        (400, "POST", "/v1/runs", {**GOOD, "priority": "1"}, "priority: Input should be a valid integer"),
        (400, "POST", "/v1/runs", {**GOOD, "submitter": "x" * 101}, "submitter: String should have at most 100"),
        (400, "POST", "/v1/runs", {**GOOD, "suite": {"colour": 1}}, "no field 'suite.colour'"),
        (400, "POST", "/v1/runs", {**GOOD, "settings": {"vote" + ".x" * 50_000: 1}}, "at most 100"),
        (400, "POST", "/v1/runs", {**GOOD, "settings": {"vote": 1, "vote.most": 2}}, "vote"),
        (400, "POST", "/v1/runs", {**GOOD, "settings": {"vote": {"colour": 1}}}, "unknown setting vote.colour"),
        (400, "POST", "/v1/runs", {**GOOD, "suite": {"files": [["../x.py", ""]]}}, "no path below the tests' folder"),
        (400, "POST", "/v1/runs", {**GOOD, "suite": {"program": "/etc/x"}}, "no path below the tests' folder"),
        (400, "POST", "/v1/runs", {**GOOD, "settings": {"chains": 10**9}}, "chains should be less"),
        (400, "POST", "/v1/runs", {**GOOD, "settings": {"vote.most": 10**9}}, "vote.most should be less"),
        (400, "POST", "/v1/runs", {**GOOD, "settings": {"max_cost": 10**400}}, "max_cost"),
        (400, "POST", "/v1/runs", {**GOOD, "settings": {"until": "(" * 50_000}}, "stop rule"),
        (400, "POST", "/v1/runs/@/fork", {"iteration": 0, "critique": "a", "answer": "b"}, "a fork changes one text"),
        (400, "PATCH", "/v1/runs/@/budget", {}, "say what it may spend"),
        (400, "POST", "/v1/shutdown", {"now": True}, "no field 'now'"),
    ],
)
def test_what_cannot_be_taken(live: Live, status: int, method: str, place: str, body: object, words: str) -> None:
    live.run()
    data = body if isinstance(body, str | bytes) else json.dumps(body)
    answer = live.http.request(method, place, content=data, headers=JSON if data else {})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json")
    error = answer.json()["error"]
    assert set(error) == {"kind", "message", "run"}
    assert words in error["message"]
    assert len(error["message"]) < 11_000


def test_a_wrong_method_is_told_the_right_ones(live: Live) -> None:
    assert set(live.http.delete("/v1/runs").headers["allow"].split(", ")) == {"GET", "HEAD", "POST"}


def test_head_says_what_get_would(live: Live) -> None:
    for place in ("/v1/runs", "/v1/events", "/version"):
        answer = live.http.head(place)
        assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_body_says_that_it_is_json(live: Live, kind: str) -> None:
    answer = live.http.post("/v1/runs", content=json.dumps(GOOD), headers={"Content-Type": kind})
    assert answer.status_code == 415
    again = live.http.post(
        "/v1/runs", content=json.dumps(GOOD), headers={"Content-Type": "application/json; charset=utf-8"}
    )
    assert again.status_code == 201


def test_a_text_may_speak_of_nul(live: Live) -> None:
    assert live.http.post("/v1/runs", json={"input": "what is \\u0000 in JSON?"}).status_code == 201


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("sandbox.layer", "off"), ("sandbox", {"layer": "off"}), ("providers.openai.base_url", "http://x/v1")),
        *(("providers.openai.api_key", "k"), ("servers", {"x": {"base_url": "http://x/v1"}}), ("store.url", "x")),
        *(("prompts.folder", "/tmp"), ("trusted", ["/"]), ("service.runs", 1_000), ("confirm_above", 9)),
    ],
)
def test_what_is_the_services_own_is_not_set_by_a_submission(live: Live, name: str, value: object) -> None:
    answer = live.http.post("/v1/runs", json={**GOOD, "settings": {name: value}})
    assert answer.status_code == 400
    assert f"{name} is the service's own" in answer.json()["error"]["message"]


def test_of_what_is_guarded_a_submission_sets_the_base_url_alone() -> None:
    extras = {key: found.json_schema_extra for key in keys() if (found := field(key))}
    guarded = {key[0] for key, extra in extras.items() if isinstance(extra, dict) and extra["guarded"]}
    assert guarded & SOLVING == {"base_url"}


def test_a_submission_names_its_server_as_the_command_line_does(live: Live) -> None:
    settings = {"model": "openai:m", "base_url": "http://localhost:1/v1"}
    run = live.http.post("/v1/runs", json={**GOOD, "settings": settings}).json()["id"]
    started = live.http.get(f"/v1/runs/{run}/events").json()[0]
    assert started["plan"]["models"]["base_url"] == "http://localhost:1/v1"


def test_a_key_stands_for_one_submission(live: Live) -> None:
    key = {"Idempotency-Key": "k"}
    first = live.http.post("/v1/runs", json=GOOD, headers=key)
    again = live.http.post("/v1/runs", json=GOOD, headers=key)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    suite = {"files": [["test_x.py", "from x import f\n\ndef test():\n    assert f(1) == 2\n"]], "module": "x"}
    code = {"input": "f", "program": "def f(n): ...", "suite": suite}
    assert {live.http.post("/v1/runs", json=code, headers={"Idempotency-Key": "c"}).status_code for _ in "ab"} == {
        200,
        201,
    }
    for other in ({"input": "How?"}, {**GOOD, "settings": {"max_calls": 3}}):
        answer = live.http.post("/v1/runs", json=other, headers=key)
        assert (answer.status_code, answer.json()["error"]["run"]) == (409, first.json()["id"])
    for bad in ("", "x" * 256):
        assert live.http.post("/v1/runs", json=GOOD, headers={"Idempotency-Key": bad}).status_code == 400


def test_a_huge_body_is_refused_and_not_kept(live: Live) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    piece = b"x" * (1 << 20)
    for headers in ({}, {"Content-Length": str(300 << 20)}):
        answer = live.http.post("/v1/runs", content=(piece for _ in range(300)), headers=headers)
        assert answer.status_code == 413
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10


def test_a_body_that_does_not_end_is_waited_for_within_bounds(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openapi, "PATIENCE", 0.1)
    with live.said(b"POST /v1/runs HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{") as sock:
        answer = b"".join(iter(lambda: sock.recv(9_999), b""))
    assert answer.startswith(b"HTTP/1.1 408")


def test_a_client_that_leaves_in_mid_body(live: Live) -> None:
    count = len(live.http.get("/v1/runs").json())
    with live.said(b'POST /v1/runs HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{"input": "x"}'):
        pass
    assert len(live.http.get("/v1/runs").json()) == count
