"""A provider that fails, lies or says nothing: what the user gets, what it is called, and what stays bought."""

import socket

import pytest

from tests.end_to_end.model import DRAFT, MENDED, QUESTION, but, mending, phase
from tests.end_to_end.program import Program
from tests.scripted import (
    DROP,
    HTML,
    MALFORMED,
    STALL,
    Asked,
    Fault,
    Outcome,
    Reply,
    Scripted,
    cut,
    in_order,
    status,
    unfinished,
    unsupported,
)

MODELS = pytest.mark.parametrize("model", ["openai:scripted", "anthropic:scripted"])
CHOICE = "Which is a colour?\n(A) red\n(B) seven"

FAULTS: list[tuple[Outcome, int, str, str]] = [
    (status(400, "no such thing"), 5, "provider_down", "refused the call (400): no such thing"),
    (status(401), 5, "provider_auth", "the key was refused (401)"),
    (status(402), 5, "provider_quota", "credit"),
    (status(403), 5, "provider_auth", "the key may not do this (403)"),
    (status(404), 2, "not_found", "has no model 'scripted' (404)"),
    (status(429, retry_after=100), 5, "provider_quota", "too many calls for the key (429)"),
    (status(500), 5, "provider_down", "the provider failed (500)"),
    (status(529, retry_after=100), 5, "provider_down", "the provider failed (529)"),
    (DROP, 5, "provider_down", "broke off"),
    (STALL, 5, "provider_down", "was silent for too long"),
    (HTML, 5, "provider_down", "is 127.0.0.1"),
    (MALFORMED, 5, "provider_down", "is 127.0.0.1"),
    (cut(), 5, "provider_down", "broke off"),
    (unfinished(), 5, "provider_down", "is 127.0.0.1"),
    (Fault("error", error={"message": "in the middle"}), 5, "provider_down", "is 127.0.0.1"),
]
BRIEF = (*("--set", "providers.openai.timeout=0.5", "--set", "providers.anthropic.timeout=0.5"), "--set")
"""Settings that keep tests short: silence is noticed soon, and no wait is longer than a second."""
SETTINGS = (*BRIEF, "retry.most_seconds=1")


@MODELS
@pytest.mark.parametrize(("outcome", "code", "kind", "message"), FAULTS)
def test_a_fault_before_there_is_an_answer(
    model: str, outcome: Outcome, code: int, kind: str, message: str, refiner: Program, scripted: Scripted
) -> None:
    scripted.script = lambda _: outcome
    done = refiner("solve", QUESTION, "-m", model, "-q", "--json", *SETTINGS)
    assert message in done.error
    error = done.json["error"]
    assert (done.code, error["kind"], error["message"]) == (code, kind, done.error)
    assert len(scripted.asked) == 1
    shown = refiner("run", "show", error["run"], "--json").json
    assert (shown["status"], shown["exit"], shown["answer"]) == ("failed", code, None)
    assert shown["usage"]["calls"] >= scripted.billed.calls


@pytest.mark.parametrize(("outcome", "code", "kind", "message"), FAULTS[::3])
def test_a_fault_after_there_is_an_answer(
    outcome: Outcome, code: int, kind: str, message: str, refiner: Program, scripted: Scripted
) -> None:
    """The answer is printed, the run can be resumed, and what was bought stays bought."""
    scripted.script = but(outcome, "critique")
    done = refiner("solve", QUESTION, "--jsonl", "-q", *SETTINGS)
    result = done.events[-1]
    assert (done.code, result["answer"], result["status"]) == (code, DRAFT, "failed")
    assert message in done.error
    assert result["error"] == {"kind": kind, "message": done.error, "run": result["id"]}
    assert refiner("run", "answer", "@").out == DRAFT + "\n"
    scripted.reset(mending)
    resumed = refiner("run", "resume", "@", "--json", *SETTINGS)
    assert (resumed.code, resumed.json["answer"], resumed.json["status"]) == (0, MENDED, "done")
    assert [phase(asked) for asked in scripted.asked] == ["critique", "update", "critique"]


def test_nobody_listens(refiner: Program) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
        done = refiner("solve", QUESTION, "-q", "--base-url", url, *SETTINGS)
    assert (done.code, done.out) == (5, "")
    assert "check the network and the base URL" in done.error


@MODELS
@pytest.mark.parametrize("outcome", [status(500), status(429, retry_after=0.01), DROP, STALL, MALFORMED, cut()])
def test_a_fault_that_passes(model: str, outcome: Outcome, refiner: Program, scripted: Scripted) -> None:
    faulty = in_order(outcome, "")
    scripted.script = lambda asked: mending(asked) if (said := faulty(asked)) == "" else said
    settings = ("--set", "retry.attempts=2", *BRIEF, "retry.most_seconds=9")
    done = refiner("solve", QUESTION, "-m", model, "--json", *settings)
    assert (done.code, done.json["answer"]) == (0, MENDED)
    assert len(scripted.asked) == 5
    assert done.json["usage"]["calls"] == scripted.billed.calls


def test_many_refusals_are_outlived(refiner: Program, scripted: Scripted) -> None:
    """The provider that is overloaded is given time, however few attempts a fault is given."""
    refusing = in_order(*[status(429, retry_after=0.01)] * 3, "")
    scripted.script = lambda asked: mending(asked) if (said := refusing(asked)) == "" else said
    done = refiner("solve", QUESTION, "--set", "retry.attempts=1", "--set", "retry.most_seconds=60")
    assert (done.code, done.out) == (0, MENDED + "\n")
    assert len(scripted.asked) == 7


@MODELS
def test_no_usage_is_estimated(model: str, refiner: Program, scripted: Scripted) -> None:
    scripted.script = lambda asked: Reply(str(mending(asked)), usage=False)
    usage = refiner("solve", QUESTION, "-m", model, "--json").json["usage"]
    assert (usage["calls"], usage["estimated"]) == (4, True)
    assert usage["input_tokens"] > 0
    assert usage["output_tokens"] > 0


NOTHING: list[Outcome] = ["", " \n", Reply(reasoning="Let me think about the sea."), Reply(refusal=True)]


@pytest.mark.parametrize("strategy", ["refine", "textgrad", "vote"])
@pytest.mark.parametrize("outcome", NOTHING)
def test_nothing_is_ever_said(outcome: Outcome, strategy: str, refiner: Program, scripted: Scripted) -> None:
    scripted.script = lambda _: outcome
    question, family = (CHOICE, "anthropic") if outcome in NOTHING[::2] else (QUESTION, "openai")
    done = refiner("solve", question, "-m", f"{family}:scripted", "-s", strategy, "-n", "1", "--json", "-q")
    assert (done.code, done.json["error"]["kind"]) == (4, "budget")


@pytest.mark.parametrize("phases", [["critique"], ["gradient"], ["gradient", "update"]])
@pytest.mark.parametrize("outcome", NOTHING[1:])
def test_nothing_is_said_later(outcome: Outcome, phases: list[str], refiner: Program, scripted: Scripted) -> None:
    scripted.script = but(outcome, *phases)
    done = refiner("solve", QUESTION, "-s", "textgrad", "-n", "2", "--json")
    assert done.code == 0
    assert done.json["answer"] in (DRAFT, MENDED)


def echo(asked: Asked) -> Outcome:
    return asked.last


LATER: list[tuple[Outcome, str]] = [
    ("no tags at all", "kept"),
    ("<improved>kept", "kept"),
    (f"<improved>{DRAFT}</improved>", "it says the same as before"),
    ("<improved></improved>", "it is empty"),
    ("", "it is empty"),
    ("word " * 3000, "it was cut off before its end"),
]


@pytest.mark.parametrize(("outcome", "reason"), LATER)
def test_updates_that_are_no_updates(outcome: Outcome, reason: str, refiner: Program, scripted: Scripted) -> None:
    scripted.script = but(outcome, "update")
    told = refiner("solve", QUESTION, "-n", "1", "--json").json
    update = told["iterations"][1]
    assert update["accepted"] is (reason == "kept")
    if not update["accepted"]:
        assert reason in update["reason"]
        assert told["answer"] == DRAFT


def test_a_draft_that_echoes_its_prompt(refiner: Program, scripted: Scripted) -> None:
    scripted.script = echo
    told = refiner("solve", QUESTION, "-n", "0", "--json").json
    assert told["parsed"] is None
    assert "it repeats the prompt" in told["iterations"][0]["reason"]


@pytest.mark.parametrize("question", [QUESTION, CHOICE])
def test_an_answer_that_cannot_be_read_is_printed_with_a_note(
    question: str, refiner: Program, scripted: Scripted
) -> None:
    scripted.script = echo
    done = refiner("solve", question, "-n", "0")
    assert (done.code, done.out != "") == (0, True)
    assert "about the answer: it repeats the prompt instead of answering, but it is all there is" in done.err


@pytest.mark.parametrize("strategy", ["refine", "textgrad"])
def test_an_update_that_echoes_its_prompt(strategy: str, refiner: Program, scripted: Scripted) -> None:
    scripted.script = lambda asked: asked.last if phase(asked) == "update" else mending(asked)
    told = refiner("solve", QUESTION, "-s", strategy, "-n", "1", "--json").json
    assert told["answer"] == DRAFT
    assert "it repeats the prompt" in told["iterations"][1]["reason"]


@pytest.mark.parametrize("strategy", ["refine", "textgrad", "vote"])
@pytest.mark.parametrize("outcome", ["<improved>no idea</improved>", "Perhaps (A) or (B).", "Answer: (C)", ""])
def test_what_cannot_be_read_never_replaces_what_can(
    outcome: Outcome, strategy: str, refiner: Program, scripted: Scripted
) -> None:
    scripted.script = but(
        "Verdict: flawed", "critique", then=but(outcome, "update", "repair", then=lambda _: "Answer: A")
    )
    done = refiner("solve", CHOICE, "-s", strategy, "-k", "1", "-n", "2", "--json")
    assert (done.code, done.json["parsed"]) == (0, "A")
    assert [each["accepted"] for each in done.json["iterations"]] == [True, False, False]


def test_a_parameter_that_the_model_refuses_is_left_out_and_said(refiner: Program, scripted: Scripted) -> None:
    scripted.script = unsupported("temperature", mending)
    done = refiner("solve", QUESTION)
    assert (done.code, done.out) == (0, MENDED + "\n")
    assert "openai:scripted takes no temperature: it was left out" in done.err
    assert "temperature" not in scripted.asked[-1].body


@MODELS
def test_what_the_user_asks_of_sampling_is_sent_or_said_to_be_left_out(
    model: str, refiner: Program, scripted: Scripted
) -> None:
    wanted = ("--temperature", "0.3", "--set", "reasoning_effort=low", "-m", model)
    scripted.script = mending
    done = refiner("solve", QUESTION, *wanted)
    efforts = [asked.body.get("reasoning_effort") or asked.body["output_config"]["effort"] for asked in scripted.asked]
    assert set(efforts) == {"low"}
    assert "reasoning_effort" not in done.err
    assert done.err.count("takes no temperature") == all("temperature" not in asked.body for asked in scripted.asked)
    scripted.reset(unsupported("temperature", unsupported("reasoning_effort", unsupported("output_config", mending))))
    done = refiner("solve", QUESTION, *wanted)
    assert (done.code, done.out) == (0, MENDED + "\n")
    assert f"{model} takes no temperature: it was left out" in done.err
    assert f"{model} takes no reasoning_effort: it was left out" in done.err


def test_a_prompt_is_marked_for_the_cache_only_where_a_later_call_begins_with_it(
    refiner: Program, scripted: Scripted
) -> None:
    """Drafts that leave at once read nothing of each other, and nobody reads on from a draft with its options dealt."""

    def marked(asked: Asked) -> list[str]:
        return [part["text"] for part in asked.body["messages"][0]["content"] if "cache_control" in part]

    question = "A long story. " * 1000 + CHOICE
    scripted.script = but("Verdict: flawed", "critique", then=lambda _: "Answer: A")
    assert refiner("solve", question, "-m", "anthropic:scripted").code == 0
    assert not any(marked(asked) for asked in scripted.asked)
    scripted.reset(scripted.script)
    assert refiner("solve", question, "-m", "anthropic:scripted", "-n", "1").code == 0
    calls = {asked.last: marked(asked) for asked in scripted.asked if phase(asked) in ("draft", "critique", "update")}
    plain = [marks for text, marks in calls.items() if question in text and "candidate" not in text]
    assert [len(marks) for marks in plain] == [1]
    later = [marks for text, marks in calls.items() if "candidate" in text]
    assert later
    assert all(len(marks) == 2 and plain[0] == marks[:1] for marks in later)
