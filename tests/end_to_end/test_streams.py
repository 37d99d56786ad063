"""Who reads what: the answer on standard output and nothing else, all the rest beside it."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.model import DRAFT, MENDED, QUESTION, but, mending
from tests.end_to_end.program import COLUMNS, Program
from tests.scripted import HTML, Outcome, Scripted, cut, in_order

CHOICE = "Which is a colour?\n(A) red\n(B) seven"
HOSTILE = (
    "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x9b2J \u202ebidi\u2066 \ufeff\r \x00 bell\x07 \N{SNOWMAN} \ud83d\ude00\n\n\n"
)

Optional = (str, type(None))
FIELDS: Mapping[str, Any] = {
    "schema": str,
    "id": str,
    "status": str,
    "exit": int,
    "stop": {"reason": str, "detail": str},
    "task": {"kind": str, "title": str},
    "strategy": str,
    "models": {"answer": str, "critic": str, "updater": str},
    "answer": str,
    "parsed": Optional,
    "score": (float, type(None)),
    "tests": type(None),
    "votes": [{"answer": str, "weight": float, "voters": int}],
    "iterations": [
        {
            "chain": int,
            "index": int,
            "phase": str,
            "accepted": bool,
            "reason": str,
            "score": (float, type(None)),
            "parsed": Optional,
            "tests": type(None),
        }
    ],
    "usage": {
        "calls": int,
        "input_tokens": int,
        "cached_input_tokens": int,
        "output_tokens": int,
        "reasoning_tokens": int,
        "cost_usd": (float, type(None)),
        "estimated": bool,
    },
    "seconds": float,
    "started_at": str,
}
"""The object of `solve --json` as the contract writes it down, with the type of each field."""


def alike(value: object, shape: Any) -> bool:
    """Whether a JSON value has exactly the fields of a shape, and the type of each."""
    if isinstance(shape, dict):
        return (
            isinstance(value, dict)
            and value.keys() == shape.keys()
            and all(alike(value[name], shape[name]) for name in shape)
        )
    if isinstance(shape, list):
        return isinstance(value, list) and value != [] and all(alike(each, shape[0]) for each in value)
    return isinstance(value, shape) and not (isinstance(value, bool) and shape is int)


@pytest.mark.parametrize("strategy", ["vote", "refine", "textgrad"])
def test_the_object_of_json(strategy: str, refiner: Program, scripted: Scripted) -> None:
    scripted.script = but("Why not B?\nVerdict: flawed", "critique", then=lambda _: "Answer: A")
    done = refiner("solve", CHOICE, "-s", strategy, "-n", "1", "--json", "-q")
    assert (done.code, done.err, done.out.count("\n")) == (0, "", 1)
    told = done.json
    told.pop("notes")
    assert alike(told, FIELDS)
    assert told["schema"] == "refiner.run/1"
    assert (told["status"], told["exit"], told["task"]["kind"], told["parsed"]) == ("done", 0, "choice", "A")
    assert {each["phase"] for each in told["iterations"]} == {"draft", "update"}
    assert datetime.fromisoformat(told["started_at"]).tzinfo is not None
    assert refiner("run", "show", "@", "--json").json == {**told, "notes": []}
    assert refiner("run", "resume", "@", "--json").json == {**told, "notes": []}


def test_votes_are_null_where_nothing_is_voted_on(refiner: Program, scripted: Scripted) -> None:
    scripted.script = mending
    told = refiner("solve", QUESTION, "--json").json
    assert (told["votes"], told["tests"], told["score"], told["usage"]["cost_usd"]) == (None,) * 4


def test_plain_output(refiner: Program, scripted: Scripted) -> None:
    scripted.script = mending
    done = refiner("solve", QUESTION)
    assert done.out == MENDED + "\n"
    line = r"refiner: stopped: converged after 1 iteration, 4 calls, [\d.]+k? tokens, cost unknown, run r-\w{4,}\n"
    assert re.fullmatch(line, done.err)


@pytest.mark.parametrize("flags", [["-q"], ["-q", "-v"], ["-q", "--json"], ["-q", "--jsonl"]])
def test_quiet(flags: list[str], refiner: Program, scripted: Scripted) -> None:
    scripted.script = mending
    done = refiner("solve", QUESTION, *flags)
    assert (done.code, done.err) == (0, "")


def test_every_event_is_a_line_and_the_last_is_the_result(refiner: Program, scripted: Scripted) -> None:
    scripted.script = mending
    *events, result = refiner("solve", QUESTION, "--jsonl").events
    assert (events[0]["type"], events[-1]["type"], result.pop("type")) == ("run-started", "run-finished", "result")
    assert [event["id"] for event in events] == sorted({event["id"] for event in events})
    assert {event["run"] for event in events} == {result["id"]}
    assert result == refiner("run", "show", "@", "--json").json
    assert events == refiner("run", "export", "@").events


def test_verbose_tells_each_step_on_standard_error(refiner: Program, scripted: Scripted) -> None:
    scripted.script = mending
    done = refiner("solve", QUESTION, "-v")
    assert done.out == MENDED + "\n"
    assert "── critique of 0/0 (flawed)\n  Dry?" in done.err
    assert "-The sea is dry" in done.err
    assert "+The sea is wide" in done.err


@pytest.mark.parametrize("flags", [["-v"], ["--json"], ["--jsonl"], []])
def test_text_of_the_model_is_made_harmless_for_people_alone(
    flags: list[str], refiner: Program, scripted: Scripted
) -> None:
    scripted.script = lambda _: HOSTILE
    done = refiner("solve", f"{QUESTION} \x1b[2J\u202e", "-n", "1", *flags)
    harmful = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
    assert not harmful.search(done.out + done.err)
    if any("--json" in flag for flag in flags):
        answer = json.loads(done.out.splitlines()[-1])["answer"]
        assert answer == HOSTILE.encode("utf-16", "surrogatepass").decode("utf-16").strip()
    else:
        assert done.out.startswith("red ")
        assert done.out.endswith(" bidi \ufeff  bell \N{SNOWMAN} \N{GRINNING FACE}\n")
    for words in (("run", "show", "@"), ("run", "log", "@", "-v"), ("run", "answer", "@"), ("run", "list")):
        assert not harmful.search(refiner(*words).out)


@pytest.mark.parametrize("words", [("solve", QUESTION), ("solve", QUESTION, "--jsonl"), ("run", "list")])
def test_a_reader_that_goes_away_is_no_error(words: tuple[str, ...], refiner: Program, scripted: Scripted) -> None:
    scripted.script = mending
    assert refiner("solve", QUESTION).code == 0
    read, write = os.pipe()
    os.close(read)
    done = refiner.start(*words, stdout=write).wait()
    os.close(write)
    assert done.code in (0, 141)
    assert "rror" not in done.err


def test_a_run_goes_on_when_the_reader_of_its_events_goes_away(refiner: Program, scripted: Scripted) -> None:
    """What was paid for is kept, and the run can be resumed."""
    scripted.script = mending
    read, write = os.pipe()
    os.close(read)
    assert refiner.start("solve", QUESTION, "--jsonl", stdout=write).wait().code == 141
    os.close(write)
    assert refiner("run", "resume", "@").out == MENDED + "\n"
    assert len(scripted.asked) == 4


def test_a_disk_that_takes_no_output(refiner: Program, scripted: Scripted) -> None:
    scripted.script = mending
    with Path("/dev/full").open("wb") as full:
        done = refiner.start("solve", QUESTION, "-q", stdout=full.fileno()).wait()
    assert done.code == 1
    assert "cannot write to standard output: No space left on device" in done.error
    assert refiner("run", "answer", "@").out == MENDED + "\n"


def test_a_terminal_has_one_live_line(refiner: Program, scripted: Scripted) -> None:
    scripted.script = mending
    done = refiner.under(TERM="xterm")("solve", QUESTION, terminal=True)
    assert (done.code, done.out) == (0, MENDED + "\n")
    for doing in ("iteration 0: drafting", "iteration 0: critique", "iteration 0: update", "iteration 1: critique"):
        assert f"\r\x1b[Kchain 0, {doing}" in done.err
    assert done.err.count("\n") == 1
    assert all(len(line) < COLUMNS for line in done.err.split("\r\x1b[K")[:-1])
    assert all(asked.body.get("stream") for asked in scripted.asked)


@pytest.mark.parametrize(("environ", "flags"), [({"TERM": "dumb"}, []), ({"TERM": "xterm"}, ["-q"]), ({}, ["-v"])])
def test_a_terminal_without_a_live_line(
    environ: dict[str, str], flags: list[str], refiner: Program, scripted: Scripted
) -> None:
    scripted.script = mending
    done = refiner.under(**environ)("solve", QUESTION, *flags, terminal=True)
    assert (done.code, done.out, "\x1b" in done.err) == (0, MENDED + "\n", False)
    assert ("-q" in flags) is (done.err == "")


@pytest.mark.parametrize("model", ["openai:scripted", "anthropic:scripted"])
@pytest.mark.parametrize("fault", [cut(), HTML])
def test_a_stream_that_breaks_is_asked_for_again(
    fault: Outcome, model: str, refiner: Program, scripted: Scripted
) -> None:
    broken = in_order(fault, "")
    scripted.script = lambda asked: broken(asked) or mending(asked)
    words = ("solve", QUESTION, "-m", model, "--set", "retry.attempts=2", "--json")
    done = refiner.under(TERM="xterm")(*words, terminal=True)
    assert (done.code, done.json["answer"], len(scripted.asked)) == (0, MENDED, 5)


def test_what_a_user_starts(refiner: Program, scripted: Scripted) -> None:
    """The console script and `python -m refiner` as they are installed, without anything imported before."""
    scripted.script = lambda _: DRAFT
    script = str(Path(sys.executable).with_name("refiner"))
    for command in ([script], [sys.executable, "-m", "refiner"]):
        words = [*command, "solve", QUESTION, "-n", "0"]
        done = subprocess.run(
            words,
            env=dict(refiner.environ),
            cwd=refiner.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stdout) == (0, DRAFT + "\n")
        assert done.stderr.startswith("refiner: stopped: iterations after 0 iterations, 1 call")
