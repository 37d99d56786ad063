"""A live run as other processes see it: it is watched, paused, given another budget, ended, and forked."""

from collections.abc import Callable
from pathlib import Path

from tests.end_to_end.model import CALLS, DRAFT, MENDED, QUESTION, mending, phase
from tests.end_to_end.program import Done, Program
from tests.scripted import Asked, Outcome, Scripted


class At:
    """A script that does something at the first request of a phase, while the run waits for the reply."""

    def __init__(self, at: str, then: Callable[[], None]) -> None:
        self._at, self._then, self._done = at, then, False

    def __call__(self, asked: Asked) -> Outcome:
        if not self._done and phase(asked) == self._at:
            self._done = True
            self._then()
        return mending(asked)


def heard(refiner: Program, *words: str, before: int = 0) -> None:
    """Say something to the latest run, and wait until it has heard it. before: words that it has heard already."""
    done = refiner("run", words[0], "@", *words[1:])
    assert done.code == 0, done.err
    assert "asked run r-" in done.err
    while sum(event["type"] == "steered" for event in refiner("run", "export", "@").events) == before:
        pass


def test_a_paused_run_goes_on_when_it_is_told(refiner: Program, scripted: Scripted) -> None:
    scripted.script = At("draft", lambda: heard(refiner, "pause"))
    process = refiner.start("solve", QUESTION, "-s", "textgrad")
    while not scripted.asked or refiner("run", "list", "--json").json[0]["status"] != "paused":
        pass
    assert len(scripted.asked) == 1
    assert refiner("run", "resume", "@").code == 0
    done = process.wait()
    assert (done.code, done.out) == (0, MENDED + "\n")
    assert len(scripted.asked) == CALLS["textgrad"]


def test_a_watcher_sees_what_happens_and_leaves_without_ending_it(refiner: Program, scripted: Scripted) -> None:
    watched: list[Done] = []
    scripted.script = At("critique", lambda: watched.append(refiner("run", "watch", "@", "--timeout", "0.1")))
    done = refiner("solve", QUESTION, "-s", "textgrad")
    assert (done.code, done.out) == (0, MENDED + "\n")
    assert watched[0].code == 124
    assert "draft 0/0" in watched[0].out
    assert "goes on" in watched[0].err
    after = refiner("run", "watch", "@", "--jsonl")
    assert after.code == 0
    assert after.events[-1]["type"] == "result"
    assert [event["id"] for event in after.events[:-1]] == sorted(event["id"] for event in after.events[:-1])


def test_a_lower_budget_ends_a_live_run(refiner: Program, scripted: Scripted) -> None:
    scripted.script = At("draft", lambda: heard(refiner, "budget", "--max-calls", "1"))
    done = refiner("solve", QUESTION, "-s", "textgrad", "--json").json
    assert (done["stop"]["reason"], done["usage"]["calls"]) == ("calls", 1)


def test_a_critique_that_is_held_is_edited(refiner: Program, scripted: Scripted) -> None:
    scripted.script = At("draft", lambda: heard(refiner, "hold", "--seconds", "3600"))
    process = refiner.start("solve", QUESTION, "-s", "textgrad")
    while all(event["type"] != "evaluation" for event in refiner("run", "export", "@").events):
        pass
    heard(refiner, "edit", "Say what nobody has said.\nVerdict: flawed", before=1)
    assert process.wait().code == 0
    assert "Say what nobody has said." in next(asked.last for asked in scripted.asked if phase(asked) == "gradient")
    assert "no critique waits" in refiner("run", "edit", "@", "Too late.").error


def test_a_fork_begins_where_the_other_was(refiner: Program, scripted: Scripted, tmp_path: Path) -> None:
    scripted.script = mending
    first = refiner("solve", QUESTION, "-s", "textgrad", "--json").json
    before = len(scripted.asked)
    (tmp_path / "said.txt").write_text("Say what nobody has said.\nVerdict: flawed")
    done = refiner("run", "fork", "@@0", "--critique", str(tmp_path / "said.txt"), "--json").json
    assert done["id"] != first["id"]
    assert done["iterations"][0]["parsed"] == DRAFT
    assert "Say what nobody has said." in scripted.asked[before].last
    started = refiner("run", "export", done["id"]).events[0]
    assert started["fork"] == f"{first['id']}@0/0"


def test_a_fork_of_nothing(refiner: Program) -> None:
    refiner("solve", QUESTION, "-n", "0")
    assert "names no iteration" in refiner("run", "fork", "@").error
    assert "no candidate 0/7" in refiner("run", "fork", "@@7").error
    assert "changes one text" in refiner("run", "fork", "@@0", "--critique", "a", "--answer", "b").error
