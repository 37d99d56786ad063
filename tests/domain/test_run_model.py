"""A run as screens show it."""

import tracemalloc
from datetime import timedelta
from functools import reduce

import pytest

from refiner.domain.calls import Role
from refiner.domain.events import Delta, Heard
from refiner.domain.run_model import (
    ANSWER,
    CRITIQUE,
    MOST_CALLS,
    MOST_TEXT,
    PHASES,
    Gauge,
    RunModel,
    heard,
    model_of,
)
from refiner.domain.state import fold
from refiner.domain.votes import decided
from refiner.strategies import STRATEGIES
from tests.tui.told import BEGAN, Story, mended, mending, plan, voting, writing


def shown(*what: Heard) -> RunModel:
    return reduce(heard, what, RunModel())


def test_it_has_the_state_of_every_other_fold() -> None:
    events = mended().events
    assert model_of(events).state == fold(events)


def test_the_iterations_of_a_run() -> None:
    rows = model_of(mending().events).rows
    assert [(row.index, row.mark, row.tests and row.tests.passed) for row in rows] == [
        (0, "accepted", 1),
        (1, "rejected", 0),
        (2, "best", 2),
    ]
    assert [row.verdict for row in rows] == ["flawed", "fewer tests pass than before", "more tests pass than before"]
    changes = [row.change for row in rows]
    assert changes[0] is None
    assert changes[1] is not None
    assert changes[1] < 0 < (changes[2] or 0)  # against the last that was accepted
    assert [row.usage.calls for row in rows] == [0, 3, 3]
    assert model_of(mending().events).scores[-1] == 1.0


def test_what_is_being_written_is_seen_until_it_is_committed() -> None:
    model = shown(*writing("Some"), Delta("r-7f3k", "0/0/critic/loss", " words"))
    found = model.written(CRITIQUE)
    assert found is not None
    assert (found.text, model.phase, model.written(ANSWER)) == ("Some words", "critique", None)
    live = model.rows[-1]
    assert (live.mark, live.verdict, live.index, live.step) == ("live", "critique", 1, None)
    told = Story(first=model.last + 1).reply("0/0/critic/loss", "Some words more").events
    after = shown(*writing("Some"), *told)
    assert (after.written(CRITIQUE), after.phase) == (None, "working")
    assert [row.mark for row in after.rows] == ["accepted"]


def test_a_piece_may_come_before_its_call_is_read_back() -> None:
    model = shown(Delta("r-7f3k", "1/2/updater/update", "Be"))
    found = model.written(ANSWER)
    assert found is not None
    assert (found.chain, found.iteration, found.text) == (1, 2, "Be")


def test_an_event_that_comes_twice_counts_once() -> None:
    events = mended().events
    assert model_of([*events, *events[5:]]) == model_of(events)


def test_calls_show_what_they_took() -> None:
    call = next(iter(model_of(mending().events).calls.values()))
    assert (call.cached, call.seconds, call.error, call.role) == (0.75, 0.8, None, Role.CRITIC)
    assert call.reply is not None


@pytest.mark.parametrize(
    ("used", "limit", "share", "level"),
    [
        (1, None, None, "ok"),
        (None, 2, None, "ok"),
        (79, 100, 0.79, "ok"),
        (80, 100, 0.8, "warning"),
        (95, 100, 0.95, "error"),
        (3, 0, 1.0, "error"),
        (300, 100, 1.0, "error"),
    ],
)
def test_gauges_warn(used: float | None, limit: float | None, share: float | None, level: str) -> None:
    gauge = Gauge("calls", used, limit)
    assert (gauge.share, gauge.level) == (share, level)


def test_gauges_count_what_is_under_way_at_its_most_and_time_until_now() -> None:
    model = shown(*writing())
    calls, tokens, cost, time = model.gauges(BEGAN + timedelta(seconds=60))
    assert (calls.used, tokens.used, time.used) == (2, 240 + 150, 60)
    assert cost.used == pytest.approx(0.003)
    ended = model_of(mended().events)
    assert ended.seconds(BEGAN + timedelta(days=1)) == len(mended().events) - 1


@pytest.mark.parametrize("answers", [("4",), ("4", "5"), ("4", "4", "5"), ("4", "4"), ("4", "4", "4", "5", "5")])
def test_the_margin_is_what_the_leader_needs(answers: tuple[str, ...]) -> None:
    model = model_of(voting(answers).events)
    assert model.tally is not None
    assert model.margin is not None
    leader, runner_up = model.tally.lead
    assert decided(leader + model.margin, runner_up)
    assert model.margin == 0 or not decided(leader + model.margin - 1, runner_up)


def test_where_nothing_is_voted_on() -> None:
    assert model_of(mending().events).margin is None
    assert RunModel().margin is None


def test_votes_are_counted_as_the_strategies_count_them() -> None:
    voters = {name: strategy.voters for name, strategy in STRATEGIES.items()}
    assert voters.pop("repair") == "iterates"  # programs: never comparable
    assert voters == {
        "textgrad": "iterates",
        "refine": "iterates",
        "vote": "finals",
        "compare": "finals",
        "sample": "finals",
        "fuse": "nobody",
        "tune": "nobody",
    }
    assert set(PHASES) == set(Role)


def test_memory_stays_flat() -> None:
    story = Story().begin(plan("Write."))
    model = model_of(story.events)
    call = Story(first=2)
    sizes = []
    tracemalloc.start()
    for number in range(2 * MOST_CALLS):
        call.events.clear()
        call.first = model.last + 1
        call.ask(f"0/{number}/critic/loss")
        pieces: list[Heard] = [Delta("r", f"0/{number}/critic/loss", "word " * 100)] * 20
        model = reduce(heard, [*call.events, *pieces], model)
        call.first = model.last
        model = heard(model, call.reply(f"0/{number}/critic/loss", "word").events[-1])
        sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert (len(model.calls), len(model.writing), len(model.spent)) == (MOST_CALLS, 0, 1)
    assert sizes[-1] < 1.1 * sizes[MOST_CALLS]
    long = shown(*[Delta("r", "0/0/answer/0", "x" * MOST_TEXT)] * 2)
    assert len(long.latest[0].text) == MOST_TEXT
