"""100 rules replayed over 10,000 trajectories of six calls each: `python -m benchmarks.replay [--quick]`."""

import json
import sys
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from benchmarks.figures import Figure, show

ITEMS, SECONDS = 10_000, 60
UNTILS = (
    *(f"agree:{number}" for number in (2, 3)),
    *(f"iterations:{number}" for number in range(3)),
    *(f"calls:{number}" for number in range(1, 7)),
    *(f"patience:{number}" for number in (1, 2)),
    *(f"agree:2 | calls:{number}" for number in range(1, 7)),
    *(f"patience:1 & iterations:{number}" for number in range(1, 3)),
    *(f"(agree:2 & calls:{number}) | patience:2" for number in range(3, 7)),
)
VOTES = ("first", "last", "majority", "finals")
SHAPES = {"loop": ((0, 2), (0, 2), (0, 2)), "chains": tuple((number, 1) for number in range(6))}
"""Chain and calls of each candidate: one chain of three, or six of one."""


def measure(*, quick: bool = False) -> list[Figure]:
    """Seconds from the file to the scores."""
    from refiner.evals.foreign import read_trajectories
    from refiner.evals.replay import replay
    from refiner.evals.rules import Rule
    from refiner.policies import parse

    items = ITEMS // 10 if quick else ITEMS
    rules = [Rule(until, parse(until), vote) for until, vote in product(UNTILS, VOTES)]
    figures = []
    with TemporaryDirectory() as folder:
        for shape in SHAPES:
            file = Path(folder) / f"{shape}.jsonl"
            file.write_text("".join(_rows(items, shape)))
            began = time.perf_counter()
            replay(read_trajectories(file), rules)
            name = f"replay: {len(rules)} rules over {items:,} trajectories, {shape}"
            figures.append(Figure(name, time.perf_counter() - began, "s", SECONDS))
    return figures


def _rows(items: int, shape: str) -> Iterator[str]:
    random = Random(0)
    for number in range(items):
        candidates = [
            {"chain": chain, "calls": calls, "parsed": random.choice("ABCD")} for chain, calls in SHAPES[shape]
        ]
        yield json.dumps({"id": number, "gold": random.choice("ABCD"), "candidates": candidates}) + "\n"


def main() -> None:
    show(measure(quick="--quick" in sys.argv[1:]))


if __name__ == "__main__":
    main()
