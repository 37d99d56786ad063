"""1,000 runs of three iterations at the same time in one process: the peak of its resident memory.

`python -m benchmarks.memory [--quick]`; the provider takes 100 ms a call, in a process of its own.
"""

import sys

from benchmarks.figures import Figure, show
from benchmarks.processes import answer, home, server

RUNS, LATENCY, CONCURRENCY = 1000, 0.1, 64


def measure(*, quick: bool = False) -> list[Figure]:
    """Megabytes of refiner's process, provider and parents excluded; beside it those of one run."""
    runs = RUNS // 10 if quick else RUNS
    with home() as env, server("benchmarks.provider", LATENCY, env=env) as url:
        one, many = (
            answer("benchmarks.client", url, "--runs", number, "--concurrency", CONCURRENCY, env=env)
            for number in (1, runs)
        )
    beside = (
        f"{runs:,} runs, {many['calls']:,} calls, in {many['seconds']:.1f} s; one run takes {one['megabytes']:.0f} MB"
    )
    return [Figure(f"memory: peak of {runs:,} concurrent runs", many["megabytes"], "MB", 500, beside=beside)]


def main() -> None:
    show(measure(quick="--quick" in sys.argv[1:]))


if __name__ == "__main__":
    main()
