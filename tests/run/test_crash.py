"""Promise 2, from outside: kill -9 wherever it hits, and nothing that was committed is bought again."""

import json
import random
import signal
import socket
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.model import phase
from tests.end_to_end.program import Done, Process, Program, seated, warm
from tests.scripted import Asked, Scripted

QUESTION = "Which of these is a colour?\n(A) red\n(B) seven\n(C) four\n(D) two"
SHAPES = ("-s refine -k 3 -n 3", "-s textgrad -k 2 -n 2", "-s vote -k 5 -n 1", "-s vote -k 6 -n 0 --concurrency 2")
KILLS = 5


@pytest.fixture(scope="module")
def requests() -> Iterator[socket.socket]:
    with warm() as requests:
        yield requests


@pytest.fixture
def refiner(requests: socket.socket, tmp_path: Path, scripted: Scripted) -> Iterator[Program]:
    with seated(requests, tmp_path, scripted) as program:
        yield program


@dataclass
class Model:
    """A model whose replies depend on the request alone; it kills its client when the request numbered `fatal` comes.

    Some of its replies cannot be read, so that answers are drawn again and updates are repaired.
    """

    client: Process | None = None
    fatal: int | None = None
    came: int = 0

    def __call__(self, asked: Asked) -> str:
        if self.client is not None and self.came == self.fatal:
            self.client.signal(signal.SIGKILL)
        self.came += 1
        dice = random.Random(blake2b(json.dumps(asked.body["messages"]).encode(), digest_size=8).digest())
        if phase(asked) == "critique":
            return dice.choice(["Verdict: correct, change nothing", "It is none.\nVerdict: flawed", "Not so sure."])
        said = dice.choice(["Answer: A", "It is red.\nAnswer: A", "Answer: B", "Answer: C", "I do not know."])
        return f"{'Think. ' * dice.randint(0, 9)}\n<improved>{said}</improved>" if phase(asked) == "update" else said


@dataclass
class Victim:
    """A run that is killed at random, and goes on, until it ends by itself."""

    refiner: Program
    model: Model
    dice: random.Random
    words: list[str]
    kills: int = 0
    seen: int = 0
    lines: list[str] = field(default_factory=list)

    def live(self, most: int) -> Done:
        """Go on until the run has ended, with so many kills on the way at the most."""
        words = ["solve", QUESTION, *self.words]
        while True:
            done = self._life(words, mortal=self.kills < most)
            if done.code != -signal.SIGKILL:
                return done
            self.kills += 1
            words = ["run", "resume", "@"]

    def _life(self, words: list[str], *, mortal: bool) -> Done:
        if not mortal:
            self.model.client = None
            return self.refiner(*words, "--json", "-q")
        if self.dice.random() < 0.5:
            self.model.came, self.model.fatal = 0, self.dice.randrange(4)
            self.model.client = process = self.refiner.start(*words, "--json", "-q")
            return process.wait()
        self.model.client = None
        process = self.refiner.start(*words, "--jsonl", "-q", piped=True)
        # Half the time it dies among the events of its past lives, which it tells again.
        read = [process.line() for _ in range(self.dice.randint(1, max(2, 2 * self.seen)))]
        self.seen = max(self.seen, len(read) + 4)
        if read[-1]:
            process.signal(signal.SIGKILL)
        return process.wait()


def outcome(told: dict[str, Any]) -> dict[str, Any]:
    """What of a result may not depend on how often the run was killed."""
    return {name: told[name] for name in ("status", "exit", "stop", "answer", "parsed", "votes", "iterations")}


@pytest.mark.parametrize("seed", range(5))
def test_kills(seed: int, refiner: Program, scripted: Scripted) -> None:
    dice = random.Random(seed)
    words = [*SHAPES[seed % len(SHAPES)].split(), "--seed", str(seed)]
    scripted.script = model = Model()
    calm = refiner("solve", QUESTION, *words, "--json").json
    prompts = Counter(asked.body["seed"] for asked in scripted.asked)
    kills = 0
    while kills < KILLS:
        scripted.reset(model)
        victim = Victim(refiner, model, dice, words, seen=5)
        assert victim.live(KILLS - kills).code == calm["exit"]
        kills += victim.kills
        told = refiner("run", "show", "@", "--json").json
        assert outcome(told) == outcome(calm)

        events = refiner("run", "export", "@").events
        place = {event["key"]: event["seed"] for event in events if event["type"] == "call-started"}
        finished = Counter(place[event["key"]] for event in events if event["type"] == "call-finished")
        cut = Counter(place[event["key"]] for event in events if event["type"] == "call-failed")
        assert finished == prompts
        asked = Counter(each.body["seed"] for each in scripted.asked)
        assert prompts <= asked <= prompts + cut
        assert told["usage"]["calls"] == finished.total() + cut.total() >= scripted.billed.calls
        used = told["usage"]["input_tokens"] + told["usage"]["output_tokens"]
        assert used >= scripted.billed.input_tokens + scripted.billed.output_tokens
        assert {event["error"] for event in events if event["type"] == "call-failed"} <= {"interrupted"}


@pytest.mark.parametrize("seed", range(4))
def test_no_limit_is_passed_by_dying(seed: int, refiner: Program, scripted: Scripted) -> None:
    """A call that was under way at a kill may have been billed, so it is booked at its most."""
    calls, tokens = 9, 20_000
    scripted.script = model = Model()
    words = ["-s", "refine", "-k", "4", "-n", "4", "--max-calls", str(calls), "--max-tokens", str(tokens)]
    Victim(refiner, model, random.Random(seed), words, seen=5).live(4)
    told = refiner("run", "show", "@", "--json").json
    assert told["status"] == "done"
    assert scripted.billed.calls <= told["usage"]["calls"] <= calls
    assert scripted.billed.input_tokens + scripted.billed.output_tokens <= tokens
