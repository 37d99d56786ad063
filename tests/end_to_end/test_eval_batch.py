"""`refiner eval run --batch`: waves through both batch APIs, gone on with and never bought twice, at its price."""

import json
import signal
from collections import Counter

import pytest

from refiner.domain.calls import Usage
from refiner.providers.prices import price
from tests.end_to_end.program import Program
from tests.end_to_end.test_eval import adder, number
from tests.scripted import STALL, Asked, Outcome, Scripted, status
from tests.scripted.batches import Batch

ITEMS = 20
MODELS = {"openai": "gpt-4o-mini", "anthropic": "claude-haiku-4-5"}
RUN = ("eval", "run", "many.jsonl", "--json")
STEPS = ("-s", "textgrad", "-n", "1", "--no-control")
RESUME = ("eval", "run", "--resume", "@", "--json")


@pytest.fixture
def batching(refiner: Program, scripted: Scripted) -> Program:
    """The sums of even numbers, of which every draft is right: a run is a draft and its critique."""
    rows = [json.dumps({"id": f"q{n}", "question": f"What is {n} + {n}?", "answer": 2 * n}) for n in range(0, 40, 2)]
    (refiner.folder / "many.jsonl").write_text("\n".join(rows))
    scripted.script = adder
    return refiner.under(REFINER_BATCH__POLL="0.01")


def bought(scripted: Scripted) -> Counter[str]:
    return Counter(json.dumps(asked.body, sort_keys=True) for asked in scripted.asked)


def sizes(scripted: Scripted) -> list[int]:
    return [len(batch.requests) for batch in scripted.batches.sent]


@pytest.mark.parametrize("api", MODELS)
def test_a_batch_for_each_step(api: str, batching: Program, scripted: Scripted) -> None:
    model = f"{api}:{MODELS[api]}"
    single = batching(*RUN, *STEPS, "-m", model).json
    bodies = bought(scripted)
    scripted.reset(adder)
    done = batching(*RUN, *STEPS, "-m", model, "--batch")
    assert done.code == 0, done.err
    assert sizes(scripted) == [ITEMS, ITEMS]
    assert bought(scripted) == bodies
    assert done.json["arms"]["refined"]["right"] == done.json["over"] == ITEMS
    used = done.json["usage"]
    assert (used["calls"], used["input_tokens"]) == (2 * ITEMS, single["usage"]["input_tokens"])
    assert used["cost_usd"] == pytest.approx(single["usage"]["cost_usd"] / 2)
    of = Usage(0, used["input_tokens"], 0, used["output_tokens"])
    assert used["cost_usd"] == pytest.approx(price(api, MODELS[api], of, written=0, batch=True))
    assert f"batch batch_1: 20 calls of {model}" in done.err


def test_killed_while_a_batch_is_under_way(batching: Program, scripted: Scripted) -> None:
    words: tuple[str, ...] = (*RUN, "-s", "vote", "-k", "3", "--limit", "8", "--batch")
    calm = batching(*words).json
    once = bought(scripted)
    scripted.reset(adder)
    killed = set[str]()

    def kill(batch: Batch) -> None:
        if batch.name not in killed and len(killed) < 9:
            killed.add(batch.name)
            batching.started[-1].signal(signal.SIGKILL)

    scripted.batches.polled = kill
    while (done := batching(*words)).code == -signal.SIGKILL:
        words = RESUME
    assert done.code == 0, done.err
    assert len(killed) == len(scripted.batches.sent) > 1
    assert bought(scripted) == once
    assert done.json["usage"] == pytest.approx(calm["usage"])
    assert done.json["arms"] == calm["arms"]


def test_interrupted_it_stays_with_the_provider(batching: Program, scripted: Scripted) -> None:
    scripted.batches.rounds = 10_000
    process = batching.start(*RUN, *STEPS, "--batch", "--max-calls", "30", terminal=True)
    process.said("waiting for a batch, 0 of 20 calls; 0 of 20 runs")
    process.interrupt()
    done = process.wait()
    assert (done.code, done.json["usage"]["calls"]) == (130, 0)
    assert "its provider goes on with batch_0" in done.err
    assert f"`refiner eval run --resume {done.json['id']}` goes on" in done.err
    scripted.batches.rounds = 1
    done = batching(*RESUME)
    assert (done.code, done.json["status"], done.json["usage"]["calls"]) == (4, "budget", 30)
    assert sizes(scripted) == [20, 10]


def test_what_no_batch_holds_yet_is_not_booked(batching: Program, scripted: Scripted) -> None:
    process = batching.under(REFINER_BATCH__POLL="600").start(*RUN, *STEPS, "--batch", terminal=True)
    process.said("0 of 20 runs")
    process.interrupt()
    assert (process.wait().code, sizes(scripted)) == (130, [])
    assert batching(*RESUME, "--max-calls", "40").json["usage"]["calls"] == 40
    assert sizes(scripted) == [20, 20]


@pytest.mark.parametrize("api", MODELS)
def test_requests_that_fail_go_into_another_batch(api: str, batching: Program, scripted: Scripted) -> None:
    seen = Counter[int]()

    def script(asked: Asked) -> Outcome:
        seen[number(asked)] += 1
        first = {2: status(500, type="api_error"), 4: STALL} if seen[number(asked)] == 1 else {}
        return (
            status(400, type="invalid_request_error") if number(asked) == 6 else first.get(number(asked), adder(asked))
        )

    scripted.script = script
    done = batching(*RUN, *STEPS, "-m", f"{api}:{MODELS[api]}", "--batch")
    assert (done.code, sizes(scripted), seen[6]) == (5, [20, 17, 3, 2], 2)
    assert "1 runs failed twice" in done.err
    tally, calls = done.json["arms"]["refined"], done.json["usage"]["calls"]
    assert (tally["right"], tally["failed"], calls) == (19, 1, 2 * 19)


def test_a_batch_that_is_cancelled_ends_it(batching: Program, scripted: Scripted) -> None:
    scripted.batches.ends = "cancelled"
    done = batching(*RUN, *STEPS, "--batch")
    assert (done.code, done.json["status"], sizes(scripted)) == (5, "failed", [20])
    assert "batch batch_0 was cancelled; `refiner eval run --resume" in done.err
    scripted.batches.ends, scripted.batches.gone = "completed", {"batch_1"}
    scripted.batches.rounds = 0
    done = batching(*RESUME)
    assert (done.code, sizes(scripted), "batch_1 is not known there" in done.err) == (5, [20, 20], True)
    scripted.batches.rounds = 1
    done = batching(*RESUME)
    assert (done.code, sizes(scripted)) == (0, [20, 20, 20])
    assert "batch batch_1 is gone" in done.err


def test_where_there_is_no_batch_api(batching: Program, scripted: Scripted) -> None:
    scripted.batches.offered = False
    done = batching(*RUN, *STEPS, "--batch")
    assert (done.code, scripted.asked) == (2, [])
    assert "has no batch API (404): leave --batch out" in done.error
    scripted.batches.offered = True
    for flag in ("-m", "--critic-model"):
        done = batching(*RUN, "--batch", flag, "local")
        assert done.error == "the embedded model has no batch API: leave --batch out"
    assert "the price of openai:scripted is unknown" in batching(*RUN, "--max-cost", "1").error
    assert batching("eval", "list", "--json").json == []
