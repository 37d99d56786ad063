"""The terminal UI: how soon it is there, how fast it answers a key, and what it takes while it looks on.

`python -m benchmarks.tui [--quick]`. It runs in a terminal that nobody looks at: first on a database of 10,000 runs,
with the service and without, then on runs in memory (benchmarks/watched.py), so that no service takes its processor.
Processor time stands beside what a busy machine delays.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import TextIO

import anyio

from benchmarks.figures import Figure, show
from benchmarks.processes import home
from benchmarks.terminal import Terminal, terminal
from benchmarks.watched import EVENTS, ITERATIONS, LIVE, RATE
from refiner.config.paths import Paths
from refiner.domain.run import Stop, StopReason
from refiner.store.sql import SqlStore
from tests.tui.told import Story, plan

RUNS, TIMES, KEYS, SECONDS, MANY = 10_000, 9, 200, 15.0, 10
Env = dict[str, str]


def measure(*, quick: bool = False) -> list[Figure]:
    """Seconds, milliseconds, and shares of a core and of memory."""
    with home() as env:
        painted = list(_paint(env, RUNS // 10 if quick else RUNS, 3 if quick else TIMES))
        return [*painted, _key(env, KEYS // 4 if quick else KEYS), _stream(env), _memory(env, 2 if quick else MANY)]


def _paint(env: Env, runs: int, times: int) -> Iterator[Figure]:
    anyio.run(_fill, env, runs)
    refiner = str(Path(sys.executable).with_name("refiner"))

    def painted(where: str) -> Figure:
        taken = []
        for _ in range(times + 1):
            with terminal((refiner, "tui"), env) as shown:
                taken.append((shown.seconds_to("Help"), shown.seconds_to("Task number"), shown.processor))
        first, filled, used = (median(each) for each in zip(*taken[1:], strict=True))
        beside = f"the first of {runs:,} runs at {filled:.2f} s, median of {times}; {used:.2f} s of processor time"
        return Figure(f"tui: first paint, {where}", first, "s", 0.7, beside=beside)

    yield painted("without a service")
    with terminal((refiner, "serve"), env) as service:
        service.seconds_to("service started")
        yield painted("on the service")


def _key(env: Env, keys: int) -> Figure:
    taken = []
    with _watched("keys", env) as (shown, told):
        used = -shown.processor
        for number in range(keys):
            began = time.perf_counter()
            shown.press("kj"[number % 2])
            taken.append(1000 * (float(told.readline()) - began))
            time.sleep(0.037)  # so that keys fall anywhere between two frames
        used += shown.processor
    beside = (
        f"{keys} keys, median {median(taken):.0f} ms, {LIVE} live runs, {ITERATIONS} iterations; "
        f"{1000 * used / keys:.0f} ms of processor time from key to key"
    )
    return Figure("tui: key to repaint, p95", quantiles(taken, n=20)[-1], "ms", 50, beside=beside)


def _stream(env: Env) -> Figure:
    with _watched("stream", env) as (shown, _):
        shown.press("2")
        shown.seconds_to("▌")
        used, began = shown.processor, time.perf_counter()
        time.sleep(SECONDS)
        share = (shown.processor - used) / (time.perf_counter() - began)
    return Figure(f"tui: a run that streams {RATE} tokens/s", 100 * share, "% of a core", 15, beside=f"{SECONDS:g} s")


def _memory(env: Env, times: int) -> Figure:
    with _watched("memory", env) as (shown, told):
        told.readline()  # by then it keeps as many calls as it ever does
        held = [(told.readline(), shown.megabytes)[1] for _ in range(times)]
    beside = f"{held[0]:.0f} MB after {2 * EVENTS:,} events, {held[-1]:.0f} MB after {(times + 1) * EVENTS:,}"
    return Figure("tui: growth of its memory", 100 * (held[-1] / held[0] - 1), "%", 10, beside=beside)


@contextmanager
def _watched(mode: str, env: Env) -> Iterator[tuple[Terminal, TextIO]]:
    """The terminal UI on runs in memory, once it shows its run, and what it tells."""
    seen, tell = os.pipe()
    command = (sys.executable, "-m", "benchmarks.watched", mode, str(tell))
    with terminal(command, env, keep=[tell]) as shown, os.fdopen(seen) as told:
        os.close(tell)
        told.readline()
        yield shown, told


async def _fill(env: Env, runs: int) -> None:
    """A database of runs that have ended."""
    paths = Paths.find(env)
    store = SqlStore.open(paths.database, state=paths.state)

    async def one(number: int) -> None:
        run = await store.new_id()
        await store.create(run)
        story = Story().begin(plan(f"Task number {number}")).candidate(0, 0, "The sea.").decide(0, 0, "it is the first")
        ended = story.finish(0, 0, Stop(StopReason.CONVERGED, "nothing is wrong"))
        await store.append(run, [recorded.event for recorded in ended.events])

    for first in range(0, runs, LIVE):
        async with anyio.create_task_group() as group:
            for number in range(first, min(runs, first + LIVE)):
                group.start_soon(one, number)
    await store.aclose()


def main() -> None:
    show(measure(quick="--quick" in sys.argv[1:]))


if __name__ == "__main__":
    main()
