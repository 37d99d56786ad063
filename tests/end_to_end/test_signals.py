"""Ctrl-C and SIGTERM in every phase: the best so far is printed, and what was paid for is never bought again."""

import os
import signal
from collections import Counter
from collections.abc import Callable

import pytest

from tests.end_to_end.model import CALLS, DRAFT, MENDED, QUESTION, but, mending, phase
from tests.end_to_end.program import Done, Process, Program
from tests.scripted import STALL, Asked, Outcome, Scripted, status

CODES: dict[int, int] = {signal.SIGINT: 130, signal.SIGTERM: 143}


class Watch:
    """A script that calls `then` with the process at the first request of a phase, and answers as `script` does."""

    def __init__(self, at: str, then: Callable[[Process], None], script: Callable[[Asked], Outcome] = mending) -> None:
        self.at, self.then, self.script = at, then, script
        self.process: Process | None = None

    def __call__(self, asked: Asked) -> Outcome:
        if self.process is not None and phase(asked) == self.at:
            process, self.process = self.process, None
            self.then(process)
        return self.script(asked)

    def run(self, refiner: Program, *words: str) -> Done:
        self.process = process = refiner.start("solve", QUESTION, *words)
        return process.wait()


def resumed_to_the_end(refiner: Program, server: Scripted, calls: int) -> None:
    """Go on with the run: it comes to the end that it would have had, and no prompt was sent twice."""
    server.script = mending
    done = refiner("run", "resume", "@", "--json")
    assert (done.code, done.json["status"], done.json["answer"]) == (0, "done", MENDED)
    assert len(server.asked) == calls == done.json["usage"]["calls"]
    assert max(Counter(asked.last for asked in server.asked).values()) == 1


@pytest.mark.parametrize("number", CODES)
@pytest.mark.parametrize(
    ("at", "answer"), [("draft", DRAFT), ("critique", DRAFT), ("gradient", DRAFT), ("update", MENDED)]
)
def test_a_signal_in_each_phase(at: str, answer: str, number: int, refiner: Program, scripted: Scripted) -> None:
    """The call that is under way is paid for, so its reply is kept; no other call starts."""
    watch = Watch(at, lambda process: process.signal(number))
    scripted.script = watch
    done = watch.run(refiner, "-s", "textgrad")
    assert (done.code, done.out) == (CODES[number], answer + "\n")
    assert done.err.startswith("refiner: stopping after the calls under way; once more ends it at once\n")
    assert phase(scripted.asked[-1]) == at
    shown = refiner("run", "show", "@", "--json").json
    assert (shown["status"], shown["exit"], shown["stop"]["reason"]) == ("interrupted", CODES[number], "signal")
    assert "refiner: stopped: signal after" in done.err
    resumed_to_the_end(refiner, scripted, CALLS["textgrad"])


@pytest.mark.parametrize("number", CODES)
def test_a_signal_with_json(number: int, refiner: Program, scripted: Scripted) -> None:
    watch = Watch("critique", lambda process: process.signal(number))
    scripted.script = watch
    done = watch.run(refiner, "--json", "-q")
    assert (done.json["status"], done.json["exit"], done.json["answer"]) == ("interrupted", CODES[number], DRAFT)
    assert (done.code, done.err) == (CODES[number], "")


@pytest.mark.parametrize("number", CODES)
def test_a_signal_while_a_retry_is_waited_for(number: int, refiner: Program, scripted: Scripted) -> None:
    scripted.script = but(status(503, retry_after=50), "critique")
    process = refiner.start("solve", QUESTION, "--jsonl", "--set", "retry.attempts=3", piped=True)
    while '"call-failed"' not in process.line():
        pass
    process.signal(number)
    assert process.wait().code == CODES[number]
    assert refiner("run", "answer", "@").out == DRAFT + "\n"
    scripted.asked.pop()
    resumed_to_the_end(refiner, scripted, CALLS["refine"])


@pytest.mark.parametrize("number", CODES)
def test_a_signal_before_the_first_call(number: int, refiner: Program, scripted: Scripted) -> None:
    """There is a run by then, and it can be resumed."""
    scripted.script = mending
    process = refiner.start("solve", QUESTION, "--jsonl", "--set", "providers.openai.per_minute=1", piped=True)
    while '"run-started"' not in process.line():
        pass
    process.signal(number)
    assert process.wait().code == CODES[number]
    resumed_to_the_end(refiner, scripted, CALLS["refine"])


def test_a_signal_before_there_is_a_run(refiner: Program, scripted: Scripted) -> None:
    """The database is still being made by then; it ends all the same, without a word of Python's, and all is well."""
    process = refiner.start("solve", QUESTION)
    while not refiner.database.exists():
        pass
    process.signal(signal.SIGINT)
    done = process.wait()
    assert (done.code, done.out, "Traceback" in done.err) == (130, "", False)
    assert refiner("run", "list", "--json").json == scripted.asked == []
    scripted.script = mending
    assert refiner("solve", QUESTION).code == 0


def test_the_second_signal_does_not_wait_for_a_provider(refiner: Program, scripted: Scripted) -> None:
    def twice(process: Process) -> None:
        process.interrupt()
        process.interrupt()

    watch = Watch("critique", twice, but(STALL, "critique"))
    scripted.script = watch
    done = watch.run(refiner)
    assert done.code == 130
    assert "refiner: aborted; `refiner run resume" in done.err
    assert refiner("run", "list", "--json").json[0]["status"] == "interrupted"
    scripted.asked.pop()
    scripted.script = mending
    resumed = refiner("run", "resume", "@", "--json").json
    assert (resumed["answer"], resumed["usage"]["calls"]) == (MENDED, CALLS["refine"] + 1)
    assert len(scripted.asked) == CALLS["refine"]


def test_a_provider_that_stalls_does_not_hold_up_the_first_signal(refiner: Program, scripted: Scripted) -> None:
    """The call that is out gets its grace, and is then booked at its most."""
    watch = Watch("update", lambda process: process.signal(signal.SIGTERM), but(STALL, "update"))
    scripted.script = watch
    done = watch.run(refiner, "--max-output-tokens", "500", "--json")
    told = done.json
    assert (done.code, told["status"], told["answer"]) == (143, "interrupted", DRAFT)
    assert told["usage"]["calls"] == 3
    assert told["usage"]["output_tokens"] >= 500
    scripted.asked.pop()
    scripted.script = mending
    assert refiner("run", "resume", "@").out == MENDED + "\n"


def test_many_chains_end_together(refiner: Program, scripted: Scripted) -> None:
    watch = Watch("critique", lambda process: process.signal(signal.SIGINT))
    scripted.script = watch
    done = watch.run(refiner, "-k", "5", "-n", "2", "--json")
    assert (done.code, done.json["status"]) == (130, "interrupted")
    assert done.json["answer"] in (DRAFT, MENDED)
    before = len(scripted.asked)
    assert done.json["usage"]["calls"] == before
    scripted.script = mending
    resumed = refiner("run", "resume", "@", "--json").json
    assert (resumed["status"], resumed["answer"]) == ("done", MENDED)
    assert resumed["usage"]["calls"] >= len(scripted.asked)


def test_another_process_may_stop_a_run(refiner: Program, scripted: Scripted) -> None:
    """`run stop` ends it in good order, with its answer; there is nothing to stop afterwards."""
    scripted.script = but(status(503, retry_after=50), "critique")
    process = refiner.start("solve", QUESTION, "--jsonl", "--set", "retry.attempts=3", piped=True)
    while '"call-failed"' not in process.line():
        pass
    assert refiner("run", "rm", "-y", "@").code == 2
    assert refiner("run", "resume", "@").code == 2
    assert refiner("run", "stop", "@").code == 0
    done = process.wait()
    result = done.events[-1]
    assert (done.code, result["status"], result["answer"]) == (0, "done", DRAFT)
    again = refiner("run", "stop", "@")
    assert again.code == 2
    assert "is not being worked on" in again.error


def test_another_process_may_cancel_a_run(refiner: Program, scripted: Scripted) -> None:
    scripted.script = but(STALL, "critique")
    process = refiner.start("solve", QUESTION, "--jsonl", piped=True)
    while '"critic"' not in process.line():
        pass
    asked = refiner("run", "cancel", "@", "--json").json
    done = process.wait()
    assert (done.code, done.events[-1]["status"], done.events[-1]["answer"]) == (130, "interrupted", DRAFT)
    assert asked == {"id": done.events[-1]["id"], "asked": "cancel"}
    scripted.script = mending
    assert refiner("run", "resume", "@").out == MENDED + "\n"


def test_a_run_whose_process_died_is_interrupted(refiner: Program, scripted: Scripted) -> None:
    watch = Watch("update", lambda process: os.kill(process.pid, signal.SIGKILL))
    scripted.script = watch
    assert watch.run(refiner).code == -signal.SIGKILL
    row = refiner("run", "list", "--json").json[0]
    assert (row["status"], row["live"]) == ("interrupted", False)
    scripted.script = mending
    assert refiner("run", "resume", "@").out == MENDED + "\n"
