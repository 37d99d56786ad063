"""An eval in one process: `python -m benchmarks.eval_client BASE_URL --items N --concurrency N`.

It prints {"calls", "seconds", "cpu", "megabytes"}: the calls made, wall and processor time from the first item to the
last (neither imports nor reading the set), and the peak of the process's resident memory.
"""

import argparse
import json
import resource
import time

import anyio

from benchmarks.client import TASK
from refiner.app.world import opened
from refiner.config.sources import load
from refiner.domain.run import Limits
from refiner.domain.task import Kind
from refiner.evals.datasets.item import Item
from refiner.evals.options import Options, Wanted
from refiner.evals.running import Running
from refiner.evals.tasks import row_of
from refiner.store.sql import SqlStore

SHAPE = {"strategy": "refine", "chains": 2, "max_iterations": 1, "max_output_tokens": 512}
"""Six calls an item: two chains, each with a draft, a critique and an update."""


async def drive(url: str, number: int, concurrency: int) -> dict[str, float]:
    wide = {"providers.openai.concurrency": concurrency, "concurrency": concurrency}
    loaded = load({"base_url": url, **SHAPE, **wide})
    items = [Item(f"q{n}", TASK.format(n), Kind.TEXT, answer="no such answer") for n in range(number)]
    options = Options(Wanted(("bench",)), "openai:scripted", loaded.settings, Limits(), control=False)
    async with opened(loaded.settings, loaded.paths) as world:
        assert isinstance(world.store, SqlStore)
        await world.connect(options.model, url)
        rows = [row_of(item) for item in items]
        name = await world.store.evals.create(("bench",), options.to_json(), rows)
        wall, cpu = time.perf_counter(), time.process_time()
        await Running(world, world.store, name, options.conditions(items)).run()
        seconds, used = time.perf_counter() - wall, time.process_time() - cpu
        calls = (await world.store.evals.rows())[0].usage.calls
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"calls": calls, "seconds": seconds, "cpu": used, "megabytes": peak}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--items", type=int, required=True)
    parser.add_argument("--concurrency", type=int, required=True)
    options = parser.parse_args()
    print(json.dumps(anyio.run(drive, options.url, options.items, options.concurrency)))


if __name__ == "__main__":
    main()
