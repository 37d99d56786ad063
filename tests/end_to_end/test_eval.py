"""`refiner eval`: runs, controls, one budget over all, and what ends it early."""

import json
import random
import signal
from collections import Counter
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.program import Done, Process, Program
from tests.end_to_end.test_store import fill, mounted
from tests.scripted import Asked, Outcome, Scripted, status
from tests.strategies.worlds import by_role

SUMS = 6
PUBLISHED = Path(__file__).parents[1] / "data" / "published"


@pytest.fixture
def sums(refiner: Program) -> str:
    """What is n + n? for n from 0."""
    lines = [json.dumps({"id": f"q{n}", "question": f"What is {n} + {n}?", "answer": 2 * n}) for n in range(SUMS)]
    (refiner.folder / "sums.jsonl").write_text("\n".join(lines))
    return "sums.jsonl"


def number(asked: Asked) -> int:
    return int(asked.messages[-1][1].partition("What is ")[2].partition(" ")[0])


def adder(asked: Asked) -> str:
    """Always right about even numbers; of odd ones the draft is wrong and its refinement right, but for 5."""
    n = number(asked)
    wrong, right = "Answer: 999", f"Answer: {2 * n}"
    words = {"draft": wrong if n % 2 else right, "gradient": "Add again."}
    words["critique"] = "Verdict: flawed" if n % 2 and right not in asked.last else "Verdict: correct, change nothing"
    words["update"] = f"<improved>{wrong if n == 5 else right}</improved>"
    return str(by_role(**words, repair=wrong)(asked))


def arms(told: dict[str, Any]) -> dict[str, tuple[int, int, int, int]]:
    names = ("right", "judged", "gained", "lost")
    return {arm: tuple(tally[name] for name in names) for arm, tally in told["arms"].items()}


def shown(refiner: Program, *words: str) -> dict[str, Any]:
    told: dict[str, Any] = refiner("eval", "show", "@", "--json", *words).json
    return told


def test_a_strategy_and_its_controls(refiner: Program, scripted: Scripted, sums: str) -> None:
    scripted.script = adder
    done = refiner("eval", "run", sums, "-s", "textgrad", "-n", "1", "--vote", "finals", "--json")
    assert done.code == 0, done.err
    assert (done.json["status"], done.json["items"], done.json["over"]) == ("done", 6, 12)
    assert arms(done.json) == {
        "refined": (5, 6, 0, 0),
        "zero-shot": (3, 6, 2, 0),
        "same-calls": (3, 6, 2, 0),
        "same-tokens": (3, 6, 2, 0),
    }
    assert done.json["usage"]["calls"] == len(scripted.asked) == scripted.billed.calls
    for one in shown(refiner, "--items")["answered"]:
        each = one["arms"]
        assert each["zero-shot"]["usage"]["calls"] == 1
        assert each["same-calls"]["usage"]["calls"] == each["refined"]["usage"]["calls"]
        tokens = {arm: each[arm]["usage"]["input_tokens"] + each[arm]["usage"]["output_tokens"] for arm in each}
        one_more = tokens["same-tokens"] + tokens["zero-shot"]
        assert tokens["same-tokens"] <= tokens["refined"] < one_more
    assert "q5" in refiner("eval", "show", "@", "--items").out
    asked = len(scripted.asked)
    rules = refiner("replay", "@", "--vote", "first", "--vote", "last", "--json").json["rules"]
    assert [(rule["accuracy"], rule["repaired"]) for rule in rules] == [(0.5, 0), (5 / 6, 2)]
    assert len(scripted.asked) == asked
    assert refiner("run", "list", "--json").json == []
    assert [row["id"] for row in refiner("eval", "list", "--json").json] == [done.json["id"]]


def test_replicates_without_controls_by_vote(refiner: Program, scripted: Scripted, sums: str) -> None:
    scripted.script = adder
    words = ("-s", "textgrad", "-n", "1", "--replicates", "2", "--no-control", "--vote", "iterates", "--ids", "q1,q4")
    done = refiner("eval", "run", sums, *words)
    assert "none (--no-control)" in done.out
    told = shown(refiner, "--items")
    assert [(one["item"], one["replicate"]) for one in told["answered"]] == [("q1", 0), ("q1", 1), ("q4", 0), ("q4", 1)]
    # Both iterates vote, and a tie goes to the earlier one.
    assert arms(told) == {"refined": (2, 4, 0, 0)}
    assert len({asked.body["seed"] for asked in scripted.asked}) > len(scripted.asked) // 2
    assert refiner("eval", "rm", "@").code == 0
    assert refiner("eval", "list", "--json").json == []
    assert refiner("run", "show", told["answered"][0]["runs"]["refined"]).code == 2


def test_programs_are_scored_by_hidden_tests(refiner: Program, scripted: Scripted) -> None:
    row = {"id": "add", "question": "Write add(a, b).", "visible_tests": "assert add(0, 0) == 0", "entry_point": "add"}
    row["tests"] = "assert add(0, 0) == 0\nassert add(1, 2) == 3"
    (refiner.folder / "own.jsonl").write_text(json.dumps(row))
    scripted.script = lambda asked: (
        "```python\ndef add(a, b):\n    return " + ("a + b" if "hidden" in asked.last else "0") + "\n```"
    )
    done = refiner("eval", "run", "own.jsonl", "--set", "code.scrutiny=false")
    assert done.code == 0, done.err
    assert arms(shown(refiner)) == dict.fromkeys(("refined", "zero-shot", "same-calls", "same-tokens"), (0, 1, 0, 0))
    run = shown(refiner, "--items")["answered"][0]["runs"]["refined"]
    assert refiner("run", "show", run, "--json").json["tests"] == {"passed": 1, "total": 1}
    assert all("add(1, 2)" not in text for asked in scripted.asked for _, text in asked.messages)


def test_one_budget_over_all(refiner: Program, scripted: Scripted, sums: str) -> None:
    scripted.script = adder
    words = ("-s", "vote", "--concurrency", "2", "--max-calls", "20", "--max-tokens", "90000", "--json")
    done = refiner("eval", "run", sums, *words)
    assert (done.code, done.json["status"]) == (4, "budget")
    assert "partial: 20 of at most 20 calls are used" in done.err
    assert len(scripted.asked) == done.json["usage"]["calls"] == 20
    assert 0 < done.json["over"] < 12
    judged = done.json["arms"]["refined"]["judged"]
    assert 0 < judged < 6, "an item that the budget ended is no wrong answer"
    again = refiner("eval", "run", "--resume", "@", "--max-calls", "500", "--json")
    assert (again.code, again.json["over"], again.json["options"]["limits"]["tokens"]) == (0, 12, 90000)
    assert len(scripted.asked) == again.json["usage"]["calls"] == 2 * 3 * 6
    assert refiner("eval", "run", "--resume", "@").code == 0
    assert len(scripted.asked) == 36


def test_failures_are_no_wrong_answers_and_tried_again(refiner: Program, scripted: Scripted, sums: str) -> None:
    bad = Counter[int]()

    def script(asked: Asked) -> Outcome:
        n = number(asked)
        bad[n] += 1
        return status(500) if n == 3 or (n == 2 and bad[n] == 1) else adder(asked)

    scripted.script = script
    done = refiner("eval", "run", sums, "-s", "vote", "-k", "1", "--no-control", "--json")
    assert (done.code, done.json["status"]) == (5, "done")
    assert "1 runs failed twice" in done.err
    tally = done.json["arms"]["refined"]
    assert (tally["judged"], tally["failed"], bad[2], bad[3]) == (5, 1, 2, 2)
    row = next(line for line in refiner("eval", "show", "@", "--items").out.splitlines() if line.startswith("q3"))
    assert row.split()[3:5] == ["failed", "openai:scripted:"], "the reason is said once, at the end"
    scripted.script = adder
    assert "takes no --dry-run" in refiner("eval", "run", "--resume", "@", "--dry-run").error
    again = refiner("eval", "run", "--resume", "@", "--json")
    assert (again.code, again.json["arms"]["refined"]["judged"]) == (0, 6)


def test_an_outage_ends_it_early(refiner: Program, scripted: Scripted) -> None:
    (refiner.folder / "many.jsonl").write_text(
        "\n".join(json.dumps({"question": f"What is {n} + {n}?", "answer": 2 * n}) for n in range(25))
    )
    scripted.script = lambda asked: status(503) if len(scripted.asked) > 9 else adder(asked)
    done = refiner("eval", "run", "many.jsonl", "-s", "vote", "--no-control", "--concurrency", "2", "--json")
    assert (done.code, done.json["status"]) == (5, "failed")
    assert done.json["over"] < 25
    assert "--resume" in done.err
    scripted.script = adder
    done = refiner("eval", "run", "--resume", "@", "--json")
    assert (done.code, done.json["over"], done.json["arms"]["refined"]["failed"]) == (0, 25, 0)


def test_a_set_that_has_changed_is_refused(refiner: Program, scripted: Scripted, sums: str) -> None:
    scripted.script = adder
    refiner("eval", "run", sums, "--max-calls", "5")
    path = refiner.folder / sums
    path.write_text(path.read_text().replace('"answer": 4', '"answer": 5').replace('"q5"', '"q9"'))
    asked = len(scripted.asked)
    done = refiner("eval", "run", "--resume", "@")
    assert done.code == 2
    assert "1 changed (q2), 1 new (q9), 1 gone (q5)" in done.error
    assert len(scripted.asked) == asked


def test_a_disk_that_fills_up(refiner: Program, tmp_path: Path, scripted: Scripted, sums: str) -> None:
    with mounted(tmp_path / "disk", "size=8m") as disk:
        refiner = refiner.under(REFINER_HOME=str(disk))
        scripted.script = adder
        assert refiner("eval", "run", sums, "--no-control", "--limit", "1").code == 0
        filler = disk / "filler"
        full = cache(fill)  # requests still in the server's hands must not fill it again

        def script(asked: Asked) -> str:
            full(filler)
            return adder(asked)

        scripted.reset(script)
        done = refiner("eval", "run", sums, "-s", "vote", "-q")
        assert (done.code, done.out) == (8, "")
        assert "disk" in done.err
        assert "--resume" in done.err
        assert "run resume" not in done.err
        filler.unlink()
        scripted.script = adder
        done = refiner("eval", "run", "--resume", "@", "--json")
        assert done.code == 0, done.err
        assert done.json["over"] == 12


def test_a_set_of_ones_own_by_name(refiner: Program, scripted: Scripted) -> None:
    (refiner.folder / "own.csv").write_text("nr,prompt,target\n7,What is 2 + 2?,4\n")
    mapped = '[datasets.mine]\npath = "own.csv"\nid = "nr"\nquestion = "prompt"\nanswer = "target"\n'
    (refiner.folder / "refiner.toml").write_text(mapped)
    scripted.script = adder
    assert refiner("eval", "run", "mine", "--no-control").code == 0
    words = ("own.csv", "--map", "id=nr,question=prompt,answer=target", "--no-control")
    assert refiner("eval", "run", *words).code == 0
    assert arms(shown(refiner)) == {"refined": (1, 1, 0, 0)}
    assert refiner("eval", "run", "own.csv", "--dry-run").code == 2


@dataclass
class Killer:
    """The adder, who kills its client when so many requests have come."""

    fatal: int | None
    number: int = signal.SIGKILL
    client: Process | None = None
    came: int = 0

    def __call__(self, asked: Asked) -> str:
        self.came += 1
        if self.came == self.fatal and self.client:
            self.client.signal(self.number)
        return adder(asked)


def test_interrupted(refiner: Program, scripted: Scripted, sums: str) -> None:
    scripted.script = killer = Killer(5, signal.SIGINT)
    scripted.latency = 0.01
    killer.client = refiner.start("eval", "run", sums, "-s", "vote", "--concurrency", "2")
    done = killer.client.wait()
    assert (done.code, shown(refiner)["status"]) == (130, "interrupted")
    assert "--resume" in done.err
    asked = len(scripted.asked)
    assert asked == shown(refiner)["usage"]["calls"] < 36
    assert refiner("eval", "run", "--resume", "@").code == 0
    assert len(scripted.asked) == 36


@pytest.mark.parametrize("seed", range(2))
def test_killed_at_random(seed: int, refiner: Program, scripted: Scripted, sums: str) -> None:
    """Nothing that was committed is bought again, to the item and inside it, and what is found is the same."""
    words = ["eval", "run", sums, "-s", "textgrad", "-n", "1", "--vote", "finals", "--concurrency", "3"]
    scripted.script = adder
    calm = refiner(*words, "--json").json
    bought = requests(scripted)
    dice, kills = random.Random(seed), 0
    scripted.reset()
    while True:
        fatal = dice.randrange(1, 12) if kills < 4 else None
        scripted.script = killer = Killer(fatal)
        killer.client = refiner.start(*words, "--json", "-q")
        done: Done = killer.client.wait()
        if done.code != -signal.SIGKILL:
            break
        kills += 1
        words = (
            ["eval", "run", "--resume", "@"] if refiner("eval", "list", "--json").json[0]["id"] != calm["id"] else words
        )
    assert (kills, done.code) == (4, 0)
    assert arms(done.json) == arms(calm)
    again = requests(scripted) - bought
    cut = done.json["usage"]["calls"] - bought.total()
    assert again.total() <= cut <= kills * 3
    assert not bought - requests(scripted)
    runs = [run for item in shown(refiner, "--items")["answered"] for run in item["runs"].values()]
    events = refiner("run", "export", *runs).events
    booked = {(before["run"] == event["run"], before["type"]) for before, event in pairwise(events) if lost(event)}
    assert (True, "run-resumed") in booked  # and nothing else before, lest the time in between counts as the run's
    assert booked <= {(True, "run-resumed"), (True, "call-failed")}


def lost(event: dict[str, Any]) -> bool:
    return (event["type"], event.get("error")) == ("call-failed", "interrupted")


def test_no_limit_is_passed_by_dying(refiner: Program, scripted: Scripted, sums: str) -> None:
    scripted.script = killer = Killer(7)
    words = ("-s", "vote", "--concurrency", "4", "--max-calls", "14")
    killer.client = refiner.start("eval", "run", sums, *words)
    assert killer.client.wait().code == -signal.SIGKILL
    told = refiner("eval", "run", "--resume", "@", "--json").json
    assert (told["status"], told["usage"]["calls"]) == ("budget", 14)
    assert scripted.billed.calls <= 14


def requests(scripted: Scripted) -> Counter[str]:
    return Counter(json.dumps([asked.body["seed"], asked.messages]) for asked in scripted.asked)
