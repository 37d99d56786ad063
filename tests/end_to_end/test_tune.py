"""`refiner tune`: a prompt that gets better by examples, kept only where the validation says so."""

import json
import re
import signal
import threading

import pytest

from tests.end_to_end.program import Done, Program
from tests.scripted import STALL, Asked, Outcome, Script, Scripted

START, BETTER, WORSE = "You answer questions.", "You answer questions. Add step by step.", "You guess."
WORDS = ("tune", "prompt.txt", "--data", "sums.jsonl", "--split", "4,4,8", "--batch", "2")


def world(*updates: str, hard: int = 99, easy: int = 0) -> Script:
    """A model that adds rightly up to `hard` under BETTER and up to `easy` under START, and rewrites as listed."""
    left = [*updates]

    def script(asked: Asked) -> str:
        if "Improve the" in asked.last:
            return f"<improved>{left.pop(0)}</improved>"
        if "The variable to improve" in asked.last:
            return "It has to say that one adds step by step."
        one, two = map(int, re.findall(r"\d+", asked.last))
        most = {BETTER: hard, START: easy}.get(asked.messages[0][1], 0)
        return f"Answer: {one + two if one + two <= most else 0}"

    return script


@pytest.fixture
def tuned(refiner: Program) -> Program:
    rows = [{"id": f"q{n}", "question": f"What is {n} + {n + 1}?", "answer": str(2 * n + 1)} for n in range(16)]
    (refiner.folder / "sums.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (refiner.folder / "prompt.txt").write_text(START + "\n")
    return refiner


def test_a_prompt_is_kept_by_validation_and_measured_on_the_test_set(tuned: Program, scripted: Scripted) -> None:
    scripted.script = world(BETTER, WORSE, hard=20)
    planned = tuned(*WORDS, "-n", "2", "--critic-model", "openai:strong", "--dry-run", "--json").json
    assert not scripted.asked
    done = tuned(*WORDS, "-n", "2", "--critic-model", "openai:strong")
    assert (done.code, done.out) == (0, BETTER + "\n"), done.err
    assert "test accuracy: 0.0 % (95 % interval 0.0 to 32.4) before, " in done.err
    assert planned["least"]["calls"] <= len(scripted.asked) <= planned["most"]["calls"]
    models = {(asked.body["model"], asked.messages[0][1] in (START, BETTER, WORSE)) for asked in scripted.asked}
    assert models == {("scripted", True), ("strong", False)}
    shown = tuned("run", "show", "@", "--json").json
    assert [(step["accepted"], step["parsed"]) for step in shown["iterations"]] == [
        (True, START),
        (True, BETTER),
        (False, WORSE),
    ]
    assert shown["iterations"][2]["reason"].endswith(f"validation went from {shown['score']:g} to 0")
    assert "begins with another one" in tuned("run", "fork", "@@1", "--answer", WORSE).error
    again = tuned("tune", "--resume", "@", "-o", "better.txt", "--json").json
    test = again["test"]
    easy = [sum(map(int, re.findall(r"\d+", asked.last))) <= 20 for asked in scripted.asked[:8]]  # the test set
    assert test["after"]["right"] == test["repaired"] == sum(easy) > 0
    assert (tuned.folder / "better.txt").read_text() == BETTER


def test_after_a_kill_nothing_is_bought_again(tuned: Program, scripted: Scripted) -> None:
    words = (*WORDS, "-n", "2", "--concurrency", "1")
    scripted.script = world(WORSE, BETTER, easy=20)  # the first is taken back
    whole = tuned(*words, "-i", "--json").json
    assert (tuned.folder / "prompt.txt").read_text() == BETTER + "\n"
    (tuned.folder / "prompt.txt").write_text(START)
    asked_whole, scripted.asked[:] = [asked.messages for asked in scripted.asked], []
    stalled, model = threading.Event(), world(WORSE, BETTER, easy=20)

    def stalling(asked: Asked) -> Outcome:
        if len(scripted.asked) == 23 and not stalled.is_set():
            stalled.set()
            return STALL
        return model(asked)

    scripted.script = stalling
    process = tuned.start(*words)
    assert stalled.wait(60)
    process.signal(signal.SIGKILL)
    process.wait()
    done: Done = tuned("tune", "--resume", "@", "--json")
    assert done.json["answer"] == whole["answer"] == BETTER
    assert done.json["test"] == whole["test"]
    assert [step["accepted"] for step in done.json["iterations"]] == [True, False, True]
    del scripted.asked[22]  # the one that stalled
    assert [asked.messages for asked in scripted.asked] == asked_whole
    assert done.json["usage"]["calls"] == len(asked_whole) + 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("tune", "prompt.txt"), "name the examples"),
        ((*WORDS, "--split", "4,4"), "three numbers of items"),
        ((*WORDS, "--split", "9,9,9"), "too few for 9, 9 and 9"),
        (("tune", "prompt.txt", "--data", "code.jsonl"), "is about a program"),
        (("tune", "Be brief.", "--data", "sums.jsonl", "-i"), "-i needs a file with the prompt"),
        ((*WORDS, "-o", "new.txt", "-i"), "-i writes the file itself: leave -o out"),
        (("tune", "--resume", "@", "--data", "sums.jsonl"), "--resume takes no --data"),
        (("tune", "--resume", "@", "-i"), "-o writes it"),
        (("solve", "Who?", "-s", "tune"), "refiner tune PROMPT_FILE"),
    ],
)
def test_what_cannot_be_tuned_is_said_in_a_line(tuned: Program, words: tuple[str, ...], said: str) -> None:
    (tuned.folder / "code.jsonl").write_text('{"question": "Mend it.", "program": "x = 1", "tests": "assert x == 2"}')
    done = tuned(*words)
    assert (done.code, done.out) == (2, "")
    assert said in done.error
