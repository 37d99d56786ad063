"""What recurs, as its users see it: listed, caught up once, and refused by its name where it cannot be kept."""

import json
import signal
from dataclasses import dataclass

import pytest

from tests.end_to_end.model import MENDED, QUESTION, mending
from tests.end_to_end.program import Process, Program
from tests.scripted import Asked, Scripted

YEARLY = "0 0 1 1 *"
TASK = f'input = "{QUESTION}"\nsettings.strategy = "textgrad"'


def write(refiner: Program, cron: str = YEARLY, what: str = TASK) -> None:
    (refiner.home / "config").mkdir(parents=True, exist_ok=True)
    lines = ("[schedules.digest]", f'cron = "{cron}"', what)
    (refiner.home / "config" / "config.toml").write_text("\n".join(lines))


def missed(refiner: Program) -> None:
    (refiner.home / "state").mkdir(parents=True, exist_ok=True)
    times = {f"schedules.digest {YEARLY}": "2020-02-03T04:05:06.7+00:00"}
    (refiner.home / "state" / "schedule.json").write_text(json.dumps(times))


def listed(refiner: Program) -> dict[str, str | None]:
    (found,) = (each for each in refiner("schedule", "--json").json if each["name"] == "schedules.digest")
    return dict(found)


def caught_up(refiner: Program) -> Process:
    service = refiner.start("serve")
    while "2020" in (refiner.home / "state" / "schedule.json").read_text():
        assert service.running
    return service


def test_what_was_missed_is_solved_once_however_often_the_service_starts(refiner: Program, scripted: Scripted) -> None:
    scripted.script = mending
    write(refiner)
    missed(refiner)
    assert listed(refiner)["last"] is None
    for _ in range(2):
        missed(refiner)  # as if it had been killed before it noted what it did
        service = caught_up(refiner)
        while {row["status"] for row in refiner("run", "list", "--json").json} != {"done"}:
            assert service.running
        service.signal(signal.SIGTERM)
        assert service.wait().code == 0
    assert len(refiner("run", "list", "--json").json) == 1
    assert refiner("run", "answer", "@").out == MENDED + "\n"
    assert refiner("run", "show", "@", "--json").json["strategy"] == "textgrad"
    last, coming = (listed(refiner)[name] for name in ("last", "next"))
    assert last
    assert coming
    assert int(coming[:4]) - int(last[:4]) == 1
    assert "schedules.digest" in refiner("schedule", "list").out


@dataclass
class Ending:
    """Says what is right of 2 + 2 alone, and ends its service with a signal when so many requests have come."""

    end: int | None
    at: int
    came: int = 0
    service: Process | None = None

    def __call__(self, _asked: Asked) -> str:
        self.came += 1
        if self.came == self.at and self.end and self.service:
            self.service.signal(self.end)
        return "Answer: 4"


def test_an_eval_that_was_missed_is_one_however_its_services_end(refiner: Program, scripted: Scripted) -> None:
    rows = [json.dumps({"question": f"What is {n} + {n}?", "answer": 2 * n}) for n in range(6)]
    (refiner.folder / "sums.jsonl").write_text("\n".join(rows))
    write(refiner, YEARLY, f'datasets = ["{refiner.folder / "sums.jsonl"}"]\nlimit = 5\nsettings.strategy = "vote"')
    missed(refiner)
    assert "sums.jsonl" in str(listed(refiner)["what"])
    bills = []
    for end, at in ((signal.SIGTERM, 5), (signal.SIGKILL, 4), (None, 0)):
        scripted.reset(ending := Ending(end, at))
        ending.service = service = refiner.start("serve")
        if end is None:
            while "2020" in (refiner.home / "state" / "schedule.json").read_text():
                assert service.running
            service.signal(signal.SIGTERM)
        assert service.wait().code == (-end if end == signal.SIGKILL else 0)
        (told,) = refiner("eval", "list", "--json").json
        assert told["status"] == ("interrupted" if end else "done")
        bills.append(scripted.billed.calls)
    calls = 5 * 3 * 2  # three answers that agree, and as many samples
    assert told["over"] == 10
    assert calls <= sum(bills) <= told["usage"]["calls"] <= calls + 8  # what was under way is booked and bought again
    assert refiner("eval", "show", "@", "--json").json["arms"]["refined"]["right"] == 1


@pytest.mark.parametrize("words", [("serve", "-q"), ("schedule",), ("config", "check")])
def test_a_schedule_that_cannot_be_kept_is_refused_by_its_name(refiner: Program, words: tuple[str, ...]) -> None:
    write(refiner, "61 * * * *")
    done = refiner(*words)
    assert (done.code, done.out) == (2, "")
    assert "config.toml:2: schedules.digest.cron: " in done.error
