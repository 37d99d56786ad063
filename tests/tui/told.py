"""Runs as they are told, event by event, at times that are always the same."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from refiner.domain.calls import Finish, Message, Reply, Role, Usage
from refiner.domain.code import Case, Execution, Outcome, Suite
from refiner.domain.events import (
    CallFinished,
    CallStarted,
    Candidate,
    Decision,
    Delta,
    Evaluation,
    Event,
    Executed,
    Gradient,
    Recorded,
    RunFinished,
    RunStarted,
    Selected,
)
from refiner.domain.run import Limits, Models, Phase, Plan, Stop, StopReason, Verdict
from refiner.domain.service import Reached, Recurring, ServiceState, Waiting
from refiner.domain.store import RunRow
from refiner.domain.task import Kind, Task

BEGAN = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
MODEL = "openai:scripted"


def plan(text: str, kind: Kind = Kind.TEXT, strategy: str = "refine", limits: Limits | None = None) -> Plan:
    suite = Suite((("test_totals.py", "assert total([1, 2]) == 3\n"),)) if kind is Kind.CODE else None
    task = Task(text, kind, suite=suite)
    return Plan(task, strategy, Models(MODEL, MODEL, MODEL), limits or Limits(), iterations=3)


@dataclass
class Story:
    """Tells a run: each method adds events a second apart."""

    run: str = "r-7f3k"
    first: int = 1
    events: list[Recorded] = field(default_factory=list)

    def tell(self, *events: Event) -> "Story":
        for event in events:
            count = len(self.events)
            self.events.append(Recorded(self.first + count, self.run, BEGAN + timedelta(seconds=count), event))
        return self

    def begin(self, plan: Plan) -> "Story":
        return self.tell(RunStarted(plan))

    def ask(self, key: str) -> "Story":
        role = Role(key.split("/")[2])
        prompt = (Message("system", ("You help.",)), Message("user", ("The task.", f"Do the {role}.")))
        return self.tell(CallStarted(key, 0, role, MODEL, "digest", prompt, 100, Usage(1, 50, 0, 100, cost_usd=0.002)))

    def reply(self, key: str, text: str) -> "Story":
        usage = Usage(1, 200, 150, 40, cost_usd=0.001)
        return self.tell(CallFinished(key, 0, Reply(text, usage, Finish.STOP, 0.8)))

    def call(self, key: str, text: str) -> "Story":
        return self.ask(key).reply(key, text)

    def candidate(self, chain: int, index: int, text: str, parsed: str | None = None) -> "Story":
        phase = Phase.UPDATE if index else Phase.DRAFT
        return self.tell(Candidate(chain, index, phase, text, text if parsed is None else parsed))

    def decide(self, chain: int, index: int, reason: str, *, accepted: bool = True) -> "Story":
        return self.tell(Decision(chain, index, accepted, reason))

    def finish(
        self, chain: int, index: int, stop: Stop, *, status: Literal["done", "failed"] = "done", code: int = 0
    ) -> "Story":
        return self.tell(Selected(chain, index), RunFinished(status, code, stop))


def mending() -> Story:
    """A program that passes one of two tests, then neither (rolled back), then both."""
    story = Story().begin(plan("Mend total().", Kind.CODE, "repair", Limits(calls=10, tokens=1_600, cost_usd=0.0062)))
    story.candidate(0, 0, "def total(xs):\n    return 0\n").tell(_executed(0, 0, 1)).decide(0, 0, "it is the first")
    _iterate(story, 1, "def total(xs):\n    return xs\n", 0)
    story.decide(0, 1, "fewer tests pass than before", accepted=False)
    _iterate(story, 2, "def total(xs):\n    return sum(xs)\n", 2)
    return story.decide(0, 2, "more tests pass than before")


def mended() -> Story:
    return mending().finish(0, 2, Stop(StopReason.TESTS_PASS, "all 2 tests pass"))


def writing(text: str = "The sum of an empty ") -> list[Recorded | Delta]:
    """A run whose critique is being written."""
    story = Story(first=100).begin(plan("Write a few lines about the sea."))
    story.call("0/0/answer/0", "The sea is dry.").candidate(0, 0, "The sea is dry.").decide(0, 0, "it is the first")
    return [*story.ask("0/0/critic/loss").events, Delta(story.run, "0/0/critic/loss", text)]


def voting(answers: Iterable[str] = ("4", "4", "5")) -> Story:
    story = Story("r-v0te", 200).begin(plan("How many is 2 + 2?", Kind.NUMBER, "vote"))
    for chain, answer in enumerate(answers):
        story.call(f"{chain}/0/answer/0", answer).candidate(chain, 0, f"It is {answer}.", answer)
        story.decide(chain, 0, "it is the first")
    return story


def _iterate(story: Story, index: int, text: str, passed: int) -> None:
    story.call(f"0/{index}/critic/loss", "The sum is never taken.\nVerdict: flawed")
    story.tell(Evaluation(0, 0, Verdict.FLAWED, "The sum is never taken.", iteration=index))
    story.call(f"0/{index}/gradient/0", "Take the sum.").tell(Gradient(0, 0, "Take the sum.", iteration=index))
    story.call(f"0/{index}/repair/0", text).candidate(0, index, text).tell(_executed(0, index, passed))


def _executed(chain: int, index: int, passed: int) -> Executed:
    tests = (("none", "total([]) == 0", "0"), ("two", "total([1, 2]) == 3", "3"))
    cases = tuple(
        Case(f"test_{name}", Outcome.PASSED, line, f"assert {source}")
        if line <= passed
        else Case(f"test_{name}", Outcome.FAILED, line, f"assert {source}", "9", wanted, f"assert 9 == {wanted}")
        for line, (name, source, wanted) in enumerate(tests, 1)
    )
    outcome = Outcome.PASSED if passed == len(cases) else Outcome.FAILED
    return Executed(chain, index, Execution(outcome, cases, seconds=0.1))


def rows(count: int) -> list[RunRow]:
    """Lines of runs in every state, the first the newest."""
    states = ("running", "paused", "queued", "done", "failed", "interrupted", "done")
    return [
        RunRow(
            id=f"r-{number:04}",
            title=f"Task number {number}: [b]mend[/b] total()",
            kind="number" if number % 2 else "code",
            strategy="vote" if number % 2 else "repair",
            model=MODEL,
            status=states[number % len(states)],
            live=states[number % len(states)] in ("running", "paused"),
            created_at=BEGAN - timedelta(minutes=number),
            updated_at=BEGAN - timedelta(minutes=number),
            iterations=number % 4,
            calls=number,
            tokens=number * 750,
            cost_usd=None if number % 5 == 4 else number / 1_000,
            stop="tests-pass" if states[number % len(states)] == "done" else None,
            best=None if number % 2 else (number % 11) / 10,
            lead=(3, 1) if number % 2 else None,
        )
        for number in range(count)
    ]


def at_work() -> ServiceState:
    """A service that has runs waiting, a provider that is overloaded, and something to tell."""
    queue = (
        Waiting("r-0003", "Mend [b]total()[/b]\x1b[31m", "ann", 5, BEGAN),
        Waiting("r-0004", "How many primes are below 50?", "schedules.digest", 0, BEGAN - timedelta(hours=1)),
    )
    providers = (Reached(MODEL, 12, 3, 12, 64, 2), Reached("local:qwen", 1, 0, 8, 8, 0))
    soon = BEGAN + timedelta(minutes=4)
    schedules = (
        Recurring("upkeep.sweep", "adopt the runs of dead services", "*/5 * * * *", BEGAN, soon),
        Recurring("schedules.digest", "solve digest.md", "0 7 * * mon-fri", None, BEGAN + timedelta(hours=19)),
    )
    log = tuple(
        f'time=2026-11-28T12:00:{number:02}Z level=info event="run begun" run=r-{number}' for number in range(30)
    )
    return ServiceState(8, 8, 2, queue, providers, schedules, log)
