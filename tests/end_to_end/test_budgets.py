"""Promise 1: whatever runs at once and whatever fails, what the provider bills stays within every limit."""

import random

import pytest

from refiner.domain.calls import Usage
from refiner.providers.prices import price
from tests.end_to_end.model import CALLS, DRAFT, MENDED, QUESTION, but, mending
from tests.end_to_end.program import Program
from tests.scripted import MALFORMED, STALL, Outcome, Reply, Scripted, cut

MODEL = "claude-haiku-4-5"
"""A model whose price is known, at whatever address it is asked."""

CHOICE = "Which is a colour? a b c d e f g\n(A) red\n(B) seven\n(C) four\n(D) two"
LONG = " x" * 3000
"""A reply that is cut where the request says: it uses all the output tokens that it may."""


def billed(server: Scripted) -> Usage:
    used = server.billed
    return Usage(used.calls, used.input_tokens, 0, used.output_tokens)


def cost(usage: Usage) -> float:
    dollars = price("anthropic", MODEL, usage, written=0)
    assert dollars is not None
    return dollars


def talkative(seed: int) -> Outcome:
    """One reply of a model that likes to talk, and that breaks off now and then when it is paid for."""
    dice = random.Random(seed)
    if dice.random() < 0.1:
        return dice.choice([MALFORMED, cut(LONG)])
    said = f"Answer: {dice.choice('ABCD')}"
    return dice.choice([said, f"{said}\nVerdict: flawed", LONG, f"{LONG}\n{said}"])


@pytest.mark.parametrize("seed", range(6))
def test_no_limit_is_passed(seed: int, refiner: Program, scripted: Scripted) -> None:
    dice = random.Random(seed)
    scripted.script = lambda asked: talkative(hash((seed, asked.number)))
    limits = {
        "--max-calls": dice.randint(2, 15),
        "--max-tokens": dice.randint(3_000, 15_000),
        "--max-cost": round(dice.uniform(0.004, 0.03), 4),
    }
    chosen = dice.sample(sorted(limits), dice.randint(1, 3))
    flags = [word for name in chosen for word in (name, str(limits[name]))]
    shape = {
        "-s": dice.choice(["textgrad", "refine", "vote"]),
        "-k": dice.randint(3, 8),
        "-n": dice.randint(1, 4),
        "--concurrency": dice.choice([2, 8, 8]),
        "--max-output-tokens": dice.choice([80, 400, 2048]),
        "--set": "retry.attempts=2",
    }
    words = [str(word) for pair in shape.items() for word in pair]
    done = refiner("solve", CHOICE, "-m", f"anthropic:{MODEL}", *words, *flags, "--json")
    assert done.code in (0, 4, 5)
    used = billed(scripted)
    if "--max-calls" in chosen:
        assert used.calls <= limits["--max-calls"]
    if "--max-tokens" in chosen:
        assert used.tokens <= limits["--max-tokens"]
    if "--max-cost" in chosen:
        assert cost(used) <= limits["--max-cost"]
    told = refiner("run", "show", "@", "--json").json["usage"]
    assert told["calls"] >= used.calls
    assert told["input_tokens"] + told["output_tokens"] >= used.tokens
    assert told["cost_usd"] >= cost(used) - 1e-9


@pytest.mark.parametrize("model", ["openai:scripted", f"anthropic:{MODEL}"])
def test_no_limit_is_passed_where_usage_is_not_told(model: str, refiner: Program, scripted: Scripted) -> None:
    """What is not known is booked at the most that it can be, as with a call that was cut off."""
    scripted.script = lambda _: Reply(LONG, usage=False)
    refiner("solve", CHOICE, "-m", model, "--max-tokens", "5000", "--max-output-tokens", "1000")
    assert billed(scripted).tokens <= 5000


@pytest.mark.parametrize("strategy", ["textgrad", "refine", "vote"])
@pytest.mark.parametrize(
    ("flag", "limit", "word"),
    [("--max-tokens", "10", "tokens"), ("--max-cost", "0.000001", "cost"), ("--until", "tokens:10", "tokens")],
)
def test_too_little_for_one_call(
    flag: str, limit: str, word: str, strategy: str, refiner: Program, scripted: Scripted
) -> None:
    done = refiner("solve", QUESTION, "-m", f"anthropic:{MODEL}", "-s", strategy, flag, limit, "--json", "-q")
    assert (done.code, scripted.asked) == (4, [])
    assert done.json["error"]["kind"] == "budget"
    assert refiner("run", "show", "@", "--json").json["stop"]["reason"] == word


@pytest.mark.parametrize("calls", [1, 2, 3, 4])
@pytest.mark.parametrize("strategy", CALLS)
def test_a_limit_in_the_middle_leaves_the_best_so_far(
    strategy: str, calls: int, refiner: Program, scripted: Scripted
) -> None:
    scripted.script = mending
    done = refiner("solve", QUESTION, "-s", strategy, "--max-calls", str(calls), "--json")
    told = done.json
    assert (done.code, scripted.billed.calls, told["usage"]["calls"]) == (0, calls, calls)
    assert told["stop"]["reason"] == ("converged" if calls == CALLS[strategy] else "calls")
    assert told["answer"] == (MENDED if calls >= CALLS[strategy] - 1 else DRAFT)


def test_the_cost_that_is_told_is_the_providers_own(refiner: Program, scripted: Scripted) -> None:
    scripted.script = mending
    told = refiner("solve", QUESTION, "-m", f"anthropic:{MODEL}", "--max-cost", "1", "--json").json["usage"]
    used = billed(scripted)
    assert (told["calls"], told["input_tokens"], told["output_tokens"]) == (4, used.input_tokens, used.output_tokens)
    assert told["cost_usd"] == pytest.approx(cost(used))


def test_a_price_that_is_unknown_is_null(refiner: Program, scripted: Scripted) -> None:
    scripted.script = mending
    done = refiner("solve", QUESTION, "--json")
    assert done.json["usage"]["cost_usd"] is None
    assert "cost unknown" in done.err


def test_a_resumed_run_keeps_its_limits(refiner: Program, scripted: Scripted) -> None:
    """A call that was cut off is booked at its most, and what it may have cost is gone for the resumption too."""
    scripted.script = but(cut(), "critique")
    words = ("solve", QUESTION, "--max-tokens", "4000", "--max-output-tokens", "500")
    assert refiner(*words).code == 5
    scripted.script = mending
    for _ in range(3):
        refiner("run", "resume", "@")
    told = refiner("run", "show", "@", "--json").json
    assert billed(scripted).tokens <= 4000
    assert told["usage"]["input_tokens"] + told["usage"]["output_tokens"] <= 4000


def test_time_is_a_limit_too(refiner: Program, scripted: Scripted) -> None:
    scripted.script = but(STALL, "critique")
    done = refiner("solve", QUESTION, "--max-time", "1s", "--json")
    told = done.json
    assert (done.code, told["stop"]["reason"], told["answer"]) == (0, "time", DRAFT)
    assert told["usage"]["calls"] == 2
