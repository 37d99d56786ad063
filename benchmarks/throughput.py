"""200 runs against a provider that takes 100 ms a call, 64 calls at a time: how near to the ideal, at what cost.

`python -m benchmarks.throughput [--quick]`. The ideal is calls × latency ÷ concurrency. TextGrad solves as many items
with 64 threads on the same server. Imports and the opening of stores and caches are left out for both.
"""

import sys
from typing import Any

from benchmarks.client import TASK
from benchmarks.figures import Figure, show
from benchmarks.processes import answer, home, server, textgrad

RUNS, LATENCY, CONCURRENCY = 200, 0.1, 64
CALLS = 10
"""That TextGrad makes for an item: a draft, and three times a loss, a gradient and an update."""


def measure(*, quick: bool = False) -> list[Figure]:
    """How far both are from the ideal, and what a call costs the processor."""
    runs = CONCURRENCY if quick else RUNS
    with home() as env, server("benchmarks.provider", LATENCY, env=env) as url:
        ours = answer("benchmarks.client", url, "--runs", runs, "--concurrency", CONCURRENCY, env=env)
        with textgrad(url, threads=CONCURRENCY, env=env) as runner:
            for number in range(runs):
                runner.send({"id": str(number), "question": TASK.format(number)})
            errors = [said["error"] for said in (runner.receive() for _ in range(runs)) if said["error"]]
            theirs = runner.close() | {"calls": runs * CALLS}
    if errors:
        raise SystemExit(f"TextGrad lost {len(errors)} items: {errors[0]}")
    mine, other = (1000 * said["cpu"] / said["calls"] for said in (ours, theirs))
    return [
        Figure("throughput: wall time to the ideal", _to_ideal(ours), "×", 1.1, beside=_took(ours)),
        Figure("throughput: TextGrad to its ideal", _to_ideal(theirs), "×", beside=_took(theirs)),
        Figure("throughput: processor time a call", mine / other, "×", 0.5,
               beside=f"refiner {mine:.2f} ms, TextGrad {other:.2f} ms"),
    ]  # fmt: skip


def _to_ideal(said: dict[str, Any]) -> float:
    return float(said["seconds"] / (said["calls"] * LATENCY / CONCURRENCY))


def _took(said: dict[str, Any]) -> str:
    return f"{said['calls']:,} calls of {LATENCY * 1000:.0f} ms, {CONCURRENCY} at a time, in {said['seconds']:.2f} s"


def main() -> None:
    show(measure(quick="--quick" in sys.argv[1:]))


if __name__ == "__main__":
    main()
