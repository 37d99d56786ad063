"""refiner and TextGrad on the same questions, with one server and three iterations: tokens, calls, time, right answers.

`python -m benchmarks.textgrad_compare [--items N] [--model NAME] [--tokens N] [--quick]`. Each item goes to both in
turn, so that they see the same machine. Both ask at temperature 0, and every reply ends after `tokens`.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx2

import refiner
from benchmarks.figures import Figure, show
from benchmarks.intervals import difference, wilson
from benchmarks.items import Item, items
from benchmarks.processes import TextGrad, home, server, textgrad

ITERATIONS = 3
COUNTS = ("calls", "evaluated", "written")


@dataclass(frozen=True, slots=True)
class Solved:
    """What one of the two made of an item, in how many seconds.

    answer and draft are letters, None where none can be read; lost: it raised before its last iteration.
    """

    answer: str | None
    draft: str | None
    seconds: float
    lost: bool = False


def measure(
    *, count: int = 40, model: str = "qwen2.5-coder-0.5b", tokens: int = 256, quick: bool = False
) -> list[Figure]:
    """Ratios of refiner to TextGrad, and the share of right answers of both and of their first replies."""
    asked = items(6 if quick else count)
    ours: list[Solved] = []
    theirs: list[Solved] = []
    with home() as env, server("benchmarks.model_server", model, tokens, env=env) as url:
        with textgrad(f"{url}/textgrad/v1", threads=1, env=env) as runner:
            for number, item in enumerate(asked, 1):
                theirs.append(_theirs(runner, item))
                ours.append(_ours(item, f"{url}/refiner/v1", tokens))
                said = f"{number}/{len(asked)} right {item.answer}, refiner {ours[-1]}, TextGrad {theirs[-1]}"
                print(said, file=sys.stderr, flush=True)
        counts = httpx2.get(f"{url}/counts", trust_env=False).json()
    return [*_ratios(ours, theirs, counts), *_shares(asked, ours, theirs)]


def _theirs(runner: TextGrad, item: Item) -> Solved:
    runner.send({"id": item.id, "question": item.asked})
    said = runner.receive()
    if said["error"]:
        print(f"TextGrad: {said['error']}", file=sys.stderr)
    return Solved(said["voted"], next(iter(said["labels"]), None), said["seconds"], said["error"] is not None)


def _ours(item: Item, url: str, tokens: int) -> Solved:
    began = time.perf_counter()
    settings: dict[str, Any] = {"strategy": "refine", "max_iterations": ITERATIONS, "max_output_tokens": tokens}
    result = refiner.solve_sync(
        item.question, model="openai:served", base_url=url, answer_type="choice", temperature=0.0, **settings
    )
    draft = result.iterations[0].parsed if result.iterations else None
    return Solved(result.parsed, draft, time.perf_counter() - began)


def _ratios(ours: Sequence[Solved], theirs: Sequence[Solved], counts: dict[str, dict[str, int]]) -> list[Figure]:
    mine, other = counts["refiner"], counts["textgrad"]
    lost = sum(solved.lost for solved in theirs)
    seconds = [sum(solved.seconds for solved in side) for side in (ours, theirs)]
    beside = {name: f"refiner {mine[name]:,}, TextGrad {other[name]:,}" for name in COUNTS}
    beside["calls"] += f"; {len(ours)} items, of which TextGrad lost {lost} to an exception"
    return [
        Figure("textgrad: input tokens evaluated", mine["evaluated"] / other["evaluated"], "×", 0.4,
               beside=beside["evaluated"]),
        Figure("textgrad: calls", mine["calls"] / other["calls"], "×", 0.7, beside=beside["calls"]),
        Figure("textgrad: wall time", seconds[0] / seconds[1], "×", 0.6,
               beside=f"refiner {seconds[0]:,.0f} s, TextGrad {seconds[1]:,.0f} s"),
        Figure("textgrad: tokens written", mine["written"] / other["written"], "×", beside=beside["written"]),
    ]  # fmt: skip


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
    low, high = difference(shares["refiner"], shares["TextGrad"])
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
