"""`refiner replay`, on a file and on a stored run."""

from pathlib import Path

import pytest

from tests.end_to_end.program import Program
from tests.scripted import Scripted
from tests.strategies.worlds import by_role

SAMPLE = Path(__file__).parents[1] / "data" / "textgrad.jsonl"


def test_a_file_in_the_fixed_schema(refiner: Program) -> None:
    done = refiner("replay", str(SAMPLE), "--until", "agree:2", "--until", "calls:4", *["--vote", "first", "--json"])
    assert (done.code, done.err, done.json["schema"], done.json["items"]) == (0, "", "refiner.replay/1", 13)
    first, second = done.json["rules"]
    assert (first["until"], first["vote"], first["repaired"], first["broken"], first["p"]) == (
        "agree:2",
        "first",
        0,
        0,
        1,
    )
    assert (first["accuracy"], first["mean_calls"], first["undecidable"]) == (5 / 13, 7.0, 0)
    assert second["mean_calls"] == 4
    low, high = first["interval"]
    assert low < first["accuracy"] < high


def test_a_table_and_its_items(refiner: Program) -> None:
    done = refiner("replay", str(SAMPLE), "--until", "agree:2 | iterations:4")
    assert done.out.splitlines()[1].split()[-1] == "3"
    assert "--items says which, and why" in done.err
    told = refiner("replay", str(SAMPLE), "--until", "agree:2 | iterations:4", "--items").out
    assert told.count("undecidable  iterations:4 asks for more than was recorded") == 3
    grid = refiner("replay", str(SAMPLE), "--grid", "--json").json["rules"]
    assert {"iterations:3", "agree:4", "patience:1", None} < {rule["until"] for rule in grid}
    assert all(rule["p"] <= rule["p_corrected"] <= 1 for rule in grid)


def test_a_stored_run_and_its_export(refiner: Program, scripted: Scripted) -> None:
    updates = iter(f"<improved>Answer: {number}</improved>" for number in (1, 2, 3))
    scripted.script = by_role(
        draft="Answer: 0", critique="Verdict: flawed", gradient="count", update=lambda _asked: next(updates)
    )
    run = refiner("solve", "How many is 6 times 7?", "-s", "textgrad", "--json").json["id"]
    asked = len(scripted.asked)
    words = ("--until", "iterations:1", "--until", "iterations:4", "--vote", "last", "--json", "--items")
    done = refiner("replay", run[:5], *words)
    short, long = done.json["rules"]
    assert (short["accuracy"], short["p"], short["mean_calls"], short["changed"]) == (None, None, 4, 1)
    assert short["outcomes"] == [{"id": run, "answer": "1", "right": None, "calls": 4, "undecidable": None}]
    assert (long["undecidable"], long["mean_calls"]) == (1, None)
    (refiner.folder / "run.jsonl").write_text(refiner("run", "export", run).out)
    assert refiner("replay", "run.jsonl", *words).json == done.json
    assert len(scripted.asked) == asked


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nothing",), "no run is called 'nothing'"),
        (("nothing.jsonl",), "there is no file nothing.jsonl"),
        ((str(SAMPLE), "--until", "agre:2"), 'did you mean "agree"?'),
        ((str(SAMPLE), "--vote", "most"), "invalid value for '--vote'"),
        ((), "missing argument"),
    ],
)
def test_what_cannot_be_replayed(refiner: Program, words: tuple[str, ...], message: str) -> None:
    done = refiner("replay", *words)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
