"""refiner as the client of a benchmark: many runs at once in one process, through one store and one provider.

`python -m benchmarks.client BASE_URL --runs N --concurrency N` prints {"calls", "seconds", "cpu", "megabytes"}: the
calls made, wall and processor time of the runs alone (neither imports nor opening the store), and the peak of the
process's resident memory.
"""

import argparse
import json
import resource
import time

import anyio

from refiner.app.plan import plan_of, task_of
from refiner.app.world import opened
from refiner.config.sources import load
from refiner.strategies.drive import World, create, resume_run

ITERATIONS = 3
TASK = "Explain in a paragraph why a recursive function needs a base case, for reader number {}."


async def drive(url: str, runs: int, concurrency: int) -> dict[str, float]:
    settings = {"base_url": url, "strategy": "refine", "max_iterations": ITERATIONS, "answer_type": "text"}
    loaded = load(settings, sets=[f"providers.openai.concurrency={concurrency}"])
    model, calls = "openai:scripted", 0

    async def run(world: World, number: int) -> None:
        nonlocal calls
        plan = plan_of(task_of(TASK.format(number), "text"), loaded.settings, model)
        state = await resume_run(world, await create(world, plan))
        calls += state.usage.calls

    async with opened(loaded.settings, loaded.paths) as world:
        await world.connect(model, url)
        wall, cpu = time.perf_counter(), time.process_time()
        async with anyio.create_task_group() as group:
            for number in range(runs):
                group.start_soon(run, world, number)
        seconds, used = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"calls": calls, "seconds": seconds, "cpu": used, "megabytes": peak}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--runs", type=int, required=True)
    parser.add_argument("--concurrency", type=int, required=True)
    options = parser.parse_args()
    print(json.dumps(anyio.run(drive, options.url, options.runs, options.concurrency)))


if __name__ == "__main__":
    main()
