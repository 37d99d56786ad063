"""kill -9 of the service at random: each answer is right, and nothing that came back is bought twice."""

import os
import random
import re
import signal
from collections import Counter
from contextlib import suppress
from pathlib import Path
from threading import Timer
from typing import Any

from refiner.domain.errors import DaemonError
from tests.end_to_end.model import phase
from tests.end_to_end.program import Process, Program
from tests.scripted import Asked, Scripted

KILLS, ENOUGH, LIVE = int(os.environ.get("REFINER_KILLS", "8")), 6, 8
PAD = "It is a text of some length, so that it is no answer that could be voted on. " * 4


class Model:
    """Counts an answer up to ENOUGH, and kills the service some time after a request."""

    def __init__(self, dice: random.Random) -> None:
        self.dice, self.left, self.kills = dice, 0, 0
        self.service: Process | None = None

    def __call__(self, asked: Asked) -> str:
        self.left -= 1
        if self.left == 0 and self.service is not None and self.kills < KILLS:
            self.kills += 1
            Timer(self.dice.choice([0.0, self.dice.uniform(0, 0.03)]), self.service.signal, [signal.SIGKILL]).start()
        task = re.search(r"task (\d+)", asked.last)
        assert task is not None
        step = max((int(number) for number in re.findall(r"Step (\d+) of", asked.last)), default=-1)
        if phase(asked) == "critique":
            return "Verdict: correct, change nothing" if step >= ENOUGH else "Go on.\nVerdict: flawed"
        text = f"Step {step + 1} of task {task[1]}. {PAD}"
        return f"<improved>{text}</improved>" if phase(asked) == "update" else text


def test_a_service_that_is_killed_again_and_again(refiner: Program, scripted: Scripted) -> None:
    model = Model(random.Random(7))
    scripted.script = model
    client = refiner.client
    refiner = refiner.under(REFINER_SERVICE__RUNS=str(LIVE))
    runs: list[str] = []
    while model.kills < KILLS or any(row["status"] != "done" for row in rows(refiner)):
        # Each life lasts for a few calls of every run, lest some run is in nobody's favour three times.
        model.left = model.dice.randint(2 * LIVE, 4 * LIVE)
        model.service = refiner.start("serve")
        while alive(model.service):
            with suppress(DaemonError):  # it is killed at any moment; the next one is told the same
                waiting = [row for row in client.get("/v1/runs?limit=10000") if row["status"] != "done"]
                if model.kills < KILLS and len(waiting) < 2 * LIVE:
                    task = {"input": f"Do task {len(runs)} step by step.", "settings": {"max_iterations": 9}}
                    runs.append(client.post("/v1/runs", task, {"Idempotency-Key": str(len(runs))})["id"])
                elif not waiting:
                    model.service.signal(signal.SIGKILL)
        model.service.wait()
    finished, interrupted = Counter[str](), 0
    for number, run in enumerate(runs):
        assert refiner("run", "answer", run).out == f"Step {ENOUGH} of task {number}. {PAD}".rstrip() + "\n"
        for call in refiner("run", "log", run, "--json").json:
            finished[f"{run} {call['key']}"] += call["reply"] is not None
            interrupted += call["error"] == "interrupted"
    assert set(finished.values()) == {1}
    # What the provider counted lies between what came back and what may have left.
    assert len(finished) <= len(scripted.asked) <= len(finished) + interrupted
    assert sum(row["calls"] for row in rows(refiner)) == len(finished) + interrupted


def rows(refiner: Program) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = refiner("run", "list", "--json", "--limit", "10000").json
    return told


def alive(service: Process) -> bool:
    return Path(f"/proc/{service.pid}").exists()
