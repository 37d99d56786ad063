"""refiner and TextGrad on the same questions, with one server and three iterations: tokens, calls, time, right answers.

`python -m benchmarks.textgrad_compare [--items N] [--model NAME] [--tokens N] [--quick]`. Each item goes to both in
turn, so that they see the same machine. Both ask at temperature 0, and every reply ends after `tokens`.
"""

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import httpx2

import refiner
from benchmarks.figures import Figure, show
from benchmarks.items import Item, items
from benchmarks.processes import TextGrad, home, server, textgrad
from refiner.evals.statistics import paired_bootstrap, wilson

ITERATIONS = 3


@dataclass(frozen=True, slots=True)
class Solved:
    """What one of the two made of an item, and what it took: seconds, and what the server counted.

    answer and draft are letters, None where none can be read; lost: it raised before its last iteration.
    """

    answer: str | None
    draft: str | None
    spent: Counter[str]
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Meter:
    """What a client has asked of the model server so far."""

    url: str
    client: str

    @property
    def base_url(self) -> str:
        return f"{self.url}/{self.client}/v1"

    def read(self) -> Counter[str]:
        counts = httpx2.get(f"{self.url}/counts", trust_env=False).json()
        return Counter(counts.get(self.client, {}))


def measure(
    *, count: int = 40, model: str = "qwen2.5-coder-0.5b", tokens: int = 256, quick: bool = False
) -> list[Figure]:
    """Ratios of refiner to TextGrad, and the share of right answers of both and of their first replies."""
    asked = items(6 if quick else count)
    ours: list[Solved] = []
    theirs: list[Solved] = []
    with home() as env, server("benchmarks.model_server", model, tokens, env=env) as url:
        os.environ["REFINER_HOME"] = env["REFINER_HOME"]
        mine, other = Meter(url, "refiner"), Meter(url, "textgrad")
        with textgrad(other.base_url, threads=1, env=env) as runner:
            for number, item in enumerate(asked, 1):
                theirs.append(_theirs(runner, item, other))
                ours.append(_ours(item, mine, tokens))
                _say(f"{number}/{len(asked)}, right is {item.answer}", refiner=ours[-1], textgrad=theirs[-1])
    return [*_ratios(ours, theirs), *_shares(asked, ours, theirs)]


def _theirs(runner: TextGrad, item: Item, meter: Meter) -> Solved:
    before = meter.read()
    runner.send({"id": item.id, "question": item.asked})
    said = runner.receive()
    spent = meter.read() - before + Counter(milliseconds=round(1000 * said["seconds"]))
    return Solved(said["voted"], next(iter(said["labels"]), None), spent, said["error"] is not None)


def _ours(item: Item, meter: Meter, tokens: int) -> Solved:
    before, began = meter.read(), time.perf_counter()
    result = refiner.solve_sync(
        item.question,
        model="openai:served",
        base_url=meter.base_url,
        answer_type="choice",
        strategy="refine",
        max_iterations=ITERATIONS,
        max_output_tokens=tokens,
        temperature=0.0,
    )
    spent = Counter(milliseconds=round(1000 * (time.perf_counter() - began))) + meter.read() - before
    draft = result.iterations[0].parsed if result.iterations else None
    return Solved(result.parsed, draft, spent)


def _say(head: str, **solved: Solved) -> None:
    told = (
        f"{name} {one.answer or 'unreadable'}{' (lost)' * one.lost} in {one.spent['calls']} calls, "
        f"{one.spent['milliseconds'] / 1000:.0f} s"
        for name, one in solved.items()
    )
    print(head, *told, sep="; ", file=sys.stderr, flush=True)


def _ratios(ours: Sequence[Solved], theirs: Sequence[Solved]) -> list[Figure]:
    """What refiner spends for each unit of TextGrad's, on the items that TextGrad carries through its iterations."""
    pairs = [(one, other) for one, other in zip(ours, theirs, strict=True) if not other.lost]
    if not pairs:
        return []
    mine, other = (sum((solved.spent for solved in side), Counter[str]()) for side in zip(*pairs, strict=True))
    kept = f"{len(pairs)} items; TextGrad lost {len(ours) - len(pairs)} more to an exception"

    def ratio(name: str, spent: str, target: float | None, note: str = "") -> Figure:
        beside = f"refiner {mine[spent]:,}, TextGrad {other[spent]:,}{note}"
        return Figure(f"textgrad: {name}", mine[spent] / other[spent], "×", target, beside=beside)

    return [
        ratio("input tokens evaluated", "evaluated", 0.4, f"; {kept}"),
        ratio("calls", "calls", 0.7),
        ratio("wall time, ms", "milliseconds", 0.6),
        ratio("tokens written", "written", None),
    ]


def _shares(asked: Sequence[Item], ours: Sequence[Solved], theirs: Sequence[Solved]) -> list[Figure]:
    keys = [item.answer for item in asked]
    shares = {
        "refiner": [solved.answer == key for solved, key in zip(ours, keys, strict=True)],
        "refiner, first reply": [solved.draft == key for solved, key in zip(ours, keys, strict=True)],
        "TextGrad": [solved.answer == key for solved, key in zip(theirs, keys, strict=True)],
        "TextGrad, first reply": [solved.draft == key for solved, key in zip(theirs, keys, strict=True)],
    }
    figures = [Figure(f"right: {name}", sum(right) / len(right) * 100, "%", beside=_within(right, len(keys)))
               for name, right in shares.items()]  # fmt: skip
    gain = 100 * (sum(shares["refiner"]) - sum(shares["TextGrad"])) / len(keys)
    low, high = paired_bootstrap(shares["refiner"], shares["TextGrad"]).interval
    within = f"paired bootstrap, 95 %: {low * 100:+.0f} to {high * 100:+.0f}"
    return [*figures, Figure("right: refiner − TextGrad", gain, "points", beside=within)]


def _within(right: Sequence[bool], of: int) -> str:
    low, high = wilson(sum(right), of)
    return f"{sum(right)}/{of}, Wilson 95 %: {low * 100:.0f} to {high * 100:.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--items", dest="count", type=int, default=40)
    parser.add_argument("--model", default="qwen2.5-coder-0.5b", help="as after `local:`")
    parser.add_argument("--tokens", type=int, default=256, help="the longest reply")
    parser.add_argument("--quick", action="store_true")
    show(measure(**vars(parser.parse_args())))


if __name__ == "__main__":
    main()
