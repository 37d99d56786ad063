"""The scripted provider itself: its scripts in JSON, its count of what it billed, and the program."""

import json
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from tests.scripted import Rule, Scripted, by_rules, cut, in_order, status
from tests.scripted.script import from_json

QUESTION = {"model": "m", "messages": [{"role": "user", "content": "say something about cats"}], "max_tokens": 2}


def post(url: str, body: object = QUESTION) -> httpx2.Response:
    with httpx2.Client(base_url=url, trust_env=False) as client:
        return client.post("/chat/completions", json=body)


def said(reply: httpx2.Response) -> str:
    return str(reply.json()["choices"][0]["message"]["content"])


def test_bills_no_more_than_was_allowed(scripted: Scripted) -> None:
    scripted.script = in_order("one two three", status(500), "one")
    replies = [post(scripted.openai) for _ in range(3)]
    assert [reply.status_code for reply in replies] == [200, 500, 200]
    assert replies[0].json()["choices"][0]["finish_reason"] == "length"
    assert (scripted.billed.calls, scripted.billed.input_tokens, scripted.billed.output_tokens) == (2, 8, 3)
    assert len(scripted.asked) == 3


def test_bills_what_the_client_never_saw(scripted: Scripted) -> None:
    scripted.script = lambda _: cut()
    with pytest.raises(httpx2.RemoteProtocolError):
        post(scripted.openai)
    assert scripted.billed.calls == 1


def test_rules(scripted: Scripted) -> None:
    rules = [Rule(status(429), times=2), Rule("meow", match="cats"), Rule(status(500), has="seed")]
    scripted.script = by_rules(rules, lambda asked: asked.last)
    assert [post(scripted.openai).status_code for _ in range(3)] == [429, 429, 200]
    other = QUESTION | {"messages": [{"role": "user", "content": "dogs"}]}
    assert said(post(scripted.openai, other)) == "dogs"
    assert post(scripted.openai, other | {"seed": 1}).status_code == 500


def test_scripts_in_json(scripted: Scripted) -> None:
    scripted.script = from_json(
        [
            {"status": 503, "times": 1, "retry_after": 2, "message": "wait"},
            {"refuses": "seed"},
            {"match": "dogs", "reply": {"text": "woof", "reasoning": "hm"}},
            "first",
            "last",
        ]
    )
    reply = post(scripted.openai)
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "2")
    assert post(scripted.openai, QUESTION | {"seed": 1}).json()["error"]["param"] == "seed"
    assert [said(post(scripted.openai)) for _ in range(3)] == ["first", "last", "last"]
    dogs = QUESTION | {"messages": [{"role": "user", "content": "dogs"}]}
    assert said(post(scripted.openai, dogs)) == "woof"


def test_program(tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    script.write_text(json.dumps(["from the file"]))
    command = [sys.executable, "-m", "tests.scripted", "--script", str(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as program:
        assert program.stdout
        try:
            url = program.stdout.readline().strip()
            assert said(post(f"{url}/v1", QUESTION | {"max_tokens": 9})) == "from the file"
        finally:
            program.terminate()
