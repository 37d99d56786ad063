"""`refiner eval report` and `eval compare`, on evals that were run."""

import csv
from io import StringIO

import pytest

from tests.end_to_end.program import Program
from tests.scripted import Scripted, status
from tests.strategies.worlds import by_role

SET = "id,question,answer,subject\nq1,How many is 6 times 7?,42,sums\nq2,How many is 1 plus 1?,2,sums\n"


@pytest.fixture
def evaluated(refiner: Program, scripted: Scripted) -> Program:
    return evaluate(refiner, scripted, SET, "--answer-type", "number")


def evaluate(refiner: Program, scripted: Scripted, rows: str, *words: str) -> Program:
    scripted.script = by_role(
        draft="Answer: 41",
        critique="It is one short. Verdict: flawed",
        gradient="Count once more.",
        update="<improved>Answer: 42</improved>",
    )
    (refiner.folder / "set.csv").write_text(rows)
    done = refiner("eval", "run", "set.csv", "-s", "textgrad", "-n", "1", "--vote", "finals", *words)
    assert done.code == 0, done.err
    return refiner


def test_a_report_in_every_form_is_the_same_every_time(evaluated: Program, scripted: Scripted) -> None:
    asked = len(scripted.asked)
    done = evaluated("eval", "report", "@", "-o", "report.html")
    assert (done.code, done.out) == (0, "")
    page = (evaluated.folder / "report.html").read_text()
    assert page.count("It is one short.") == page.count("Count once more.") == 2
    assert '<span class="add">+Answer: 42</span>' in page
    evaluated("eval", "report", "@", "-o", "again.html")
    assert (evaluated.folder / "again.html").read_text() == page
    told = evaluated("eval", "report", "@", "--json")
    assert told.out == evaluated("eval", "report", "@", "--json").out
    arms = {arm["name"]: arm for arm in told.json["figures"]["arms"]}
    assert {name: arm["accuracy"]["share"] for name, arm in arms.items()} == {
        "refined": 0.5, "zero-shot": 0.0, "same-calls": 0.0, "same-tokens": 0.0,
    }  # fmt: skip
    ledger = [(flip["cause"], flip["repaired"], flip["broken"]) for flip in arms["refined"]["flips"]]
    assert ledger == [("update", 1, 0)]
    assert "| refined" in evaluated("eval", "report", "@", "--markdown").out
    rows = list(csv.DictReader(StringIO(evaluated("eval", "report", "@", "--csv").out)))
    assert [row["answer"] for row in rows if row["arm"] == "refined"] == ["42", "42"]
    assert len(scripted.asked) == asked


def test_what_cannot_be_written_or_compared(evaluated: Program) -> None:
    assert "-o report.html" in evaluated("eval", "report", "@").error
    assert "ends in none of" in evaluated("eval", "report", "@", "-o", "report.pdf").error
    assert "do not go together" in evaluated("eval", "report", "@", "--csv", "--json").error
    assert "no eval is called 'e-u'" in evaluated("eval", "report", "e-u", "--markdown").error
    (evaluated.folder / "set.csv").write_text(SET.replace("q2", "q3"))
    first = evaluated("eval", "list", "--json").json[0]["id"]
    evaluated("eval", "run", "set.csv", "-s", "textgrad", "-n", "1", "--answer-type", "number", "--no-control")
    done = evaluated("eval", "compare", first, "@", "--json").json
    assert (done["items"], done["unpaired"]) == (1, {"a": ["q2"], "b": ["q3"], "changed": []})
    assert [(one["arm"], one["p"]) for one in done["comparisons"]] == [("refined", 1.0)]
    assert "1 item only in" in evaluated("eval", "compare", first, "@").out


def test_where_everything_failed_nothing_is_claimed(evaluated: Program, scripted: Scripted) -> None:
    first = evaluated("eval", "list", "--json").json[0]["id"]
    scripted.script = lambda _: status(400)
    assert "eval judge" not in evaluated("eval", "run", "set.csv", "-s", "vote").out
    assert "★" not in evaluated("eval", "report", "@", "--markdown").out
    last = evaluated("eval", "list", "--json").json[0]["id"]
    assert "they cannot be compared" in evaluated("eval", "compare", first, last).error
    assert "nothing to replay" in evaluated("replay", last, "--grid").error


def test_two_judges_of_other_providers_where_nothing_is_right(refiner: Program, scripted: Scripted) -> None:
    evaluate(refiner, scripted, "question\nSay a number.\nSay another.\n", "--map", "answer=-")
    told = refiner("eval", "report", "@", "--json").json
    assert {one["outcome"] for one in told["answers"]} == {"unjudged"}
    assert ({arm["accuracy"]["share"] for arm in told["figures"]["arms"]}, told["figures"]["comparisons"]) == (
        {None},
        [],
    )
    assert any("eval judge" in note for note in told["notes"])
    assert "failed" not in refiner("eval", "show", "@", "--items").out
    asked = len(scripted.asked)
    scripted.script = lambda asked: f"Answer: {'B' if asked.api == 'openai' else 'neither'}"
    (refiner.folder / "rubric.txt").write_text("Short is good.")
    words = ("eval", "judge", "@", "--judge", "openai:a", "--judge", "anthropic:b", "--rubric", "rubric.txt", "--json")
    part = refiner(*words, "--max-calls", "1")
    assert (part.code, [one["judged"] for one in part.json["judges"]]) == (4, [0, 0])
    assert "the command that began it" in refiner("run", "resume", part.json["judges"][0]["run"]).err
    done = refiner(*words)
    assert (done.code, len(scripted.asked) - asked) == (0, 8)
    assert [{word: n for word, n in one["counts"].items() if n} for one in done.json["judges"]] == [
        {"split": 2}, {"tied": 2},
    ]  # fmt: skip
    assert [(one["agree"], one["first"]) for one in done.json["judges"]] == [(0.0, 0.0), (1.0, None)]
    assert [(one["agree"], one["kappa"]) for one in done.json["kappa"]] == [(1.0, None)]
    assert "warning: openai:a judges answers of" in done.err
    assert "anthropic:b judges" not in done.err
    assert "openai:a and anthropic:b agree on 100.0% of 2 pairs" in refiner(*words[:-1]).out
    assert len(scripted.asked) - asked == 8
