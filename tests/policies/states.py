"""States of a run, folded from real events, for the tests of policies."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from refiner.domain.calls import Finish, Reply, Role, Usage
from refiner.domain.events import (
    CallFinished,
    CallStarted,
    Candidate,
    Decision,
    Evaluation,
    Event,
    Recorded,
    RunStarted,
)
from refiner.domain.run import Models, Phase, Plan, Tests, Verdict
from refiner.domain.state import RunState, fold
from refiner.domain.task import Kind, Task

START = datetime(2026, 1, 1, tzinfo=UTC)
PLAN = Plan(Task("What is 6*7?", Kind.NUMBER), "textgrad", Models("local", "local", "local"))


@dataclass(frozen=True)
class Move:
    """One candidate of chain 0 and what was said of it; accepted None: the gate has not spoken yet."""

    parsed: str | None = "42"
    accepted: bool | None = True
    score: float | None = None
    verdict: Verdict = Verdict.FLAWED
    tests: Tests | None = None
    text: str = ""


def run(moves: Sequence[Move] = (), *, usage: Sequence[Usage] = (), seconds: float = 0.0) -> RunState:
    """The state after the moves, with a call for each usage, `seconds` from beginning to end."""
    events: list[Event] = [RunStarted(PLAN)]
    for number, used in enumerate(usage):
        key = f"0/{number}/answer"
        events.append(CallStarted(key, 0, Role.ANSWER, "local", "", (), 16, used))
        events.append(CallFinished(key, 0, Reply("", used, Finish.STOP, 0.1)))
    for index, move in enumerate(moves):
        text = move.text or f"Answer: {move.parsed}"
        events.append(Candidate(0, index, Phase.UPDATE if index else Phase.DRAFT, text, move.parsed))
        events.append(Evaluation(0, index, move.verdict, "", move.score, move.tests))
        if move.accepted is not None:
            events.append(Decision(0, index, move.accepted, ""))
    last = len(events) - 1
    times = [START + timedelta(seconds=seconds if number == last and last else 0.0) for number in range(len(events))]
    if not last and seconds:
        raise ValueError("a run needs a move or a call to take time")
    return fold(Recorded(number, "r", at, event) for number, (at, event) in enumerate(zip(times, events, strict=True)))


TESTS = st.integers(0, 3).flatmap(lambda total: st.builds(Tests, st.integers(0, total), st.just(total)))
MOVES = st.builds(
    Move,
    parsed=st.sampled_from(["41", "42", None]),
    accepted=st.sampled_from([True, False, None]),
    score=st.sampled_from([None, 0.0, 0.5, 1.0]),
    verdict=st.sampled_from(Verdict),
    tests=st.none() | TESTS,
)
USAGES = st.builds(
    Usage,
    calls=st.just(1),
    input_tokens=st.integers(0, 2000),
    output_tokens=st.integers(0, 2000),
    cost_usd=st.sampled_from([None, 0.0, 0.01, 0.2]),
)
STATES = st.builds(
    run,
    st.lists(MOVES, max_size=6),
    usage=st.lists(USAGES, min_size=1, max_size=6),
    seconds=st.floats(0, 1000),
)
