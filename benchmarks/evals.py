"""10,000 items of six calls each in one process, 128 calls at a time: how near to the ideal, in how much memory.

`python -m benchmarks.evals [--quick]`. The provider takes 1 s a call, as models do, in a process of its own. The ideal
is calls × latency ÷ concurrency: eight minutes.
"""

import sys

from benchmarks.figures import Figure, show
from benchmarks.processes import answer, home, server

ITEMS, LATENCY, CONCURRENCY = 10_000, 1.0, 128


def measure(*, quick: bool = False) -> list[Figure]:
    """How far an eval is from the ideal, and its peak of memory."""
    items = ITEMS // 10 if quick else ITEMS
    with home() as env, server("benchmarks.provider", LATENCY, env=env) as url:
        said = answer("benchmarks.eval_client", url, "--items", items, "--concurrency", CONCURRENCY, env=env)
    ideal = said["calls"] * LATENCY / CONCURRENCY
    beside = (
        f"{said['calls']:,} calls in {said['seconds']:.1f} s, {1000 * said['cpu'] / said['calls']:.2f} ms of CPU each"
    )
    return [
        Figure(f"evals: wall time of {items:,} items to the ideal", said["seconds"] / ideal, "×", 1.15, beside=beside),
        Figure(f"evals: peak of {items:,} items", said["megabytes"], "MB", 1000),
    ]


def main() -> None:
    show(measure(quick="--quick" in sys.argv[1:]))


if __name__ == "__main__":
    main()
