"""Evals that recur: the service runs each itself, beside its runs and on the same lines to the models."""

import anyio

from refiner.autograd.concurrent import bare_errors
from refiner.config.settings import Schedule
from refiner.config.sources import Loaded
from refiner.domain.run import Stop, StopReason
from refiner.evals.options import Options, Wanted, limits_of
from refiner.evals.running import Running, same_items
from refiner.evals.tasks import row_of
from refiner.providers.connect import resolve
from refiner.service.logs import log
from refiner.service.workers import Workers

LEAVING = Stop(StopReason.SIGNAL, "SIGTERM: the service was shut down, and goes on with it at its next start")


async def evaluated(workers: Workers, loaded: Loaded, schedule: Schedule, key: str) -> None:
    """Run the eval of a key to its end: made with its first call, gone on with where a service left it.

    One that another service is at, or that came to an end, is left alone. Raises UsageError and NotFoundError for a
    data set that cannot be read or is no longer the same, StoreError.
    """
    evals, options = workers.store.evals, options_of(loaded, schedule)
    items = await anyio.to_thread.run_sync(options.wanted.items, options.settings)
    rows = [row_of(item) for item in items]
    name = await evals.create(options.wanted.datasets, options.to_json(), rows, key=key)
    results = await evals.results(name)
    if results.eval.status != "interrupted":
        return
    options = Options.of(results.eval)
    conditions = options.conditions(same_items(results, items))
    await evals.claim(name, options.to_json())
    log.info("eval begun", eval=name, at=key)
    running = Running(workers.world, workers.store, name, conditions)

    async def leave() -> None:
        await workers.closed.wait()
        running.halt("interrupted", "SIGTERM", LEAVING)

    # Calls under way get their grace, as those of runs do: what is cancelled is paid for and lost.
    with anyio.CancelScope(shield=True), bare_errors():
        async with anyio.create_task_group() as beside:
            beside.start_soon(leave)
            await running.run()
            beside.cancel_scope.cancel()
    if workers.closed.is_set():
        await anyio.sleep_forever()  # until the clock, which has to do it again, is cancelled
    ended = (await evals.results(name)).eval
    tell = log.info if ended.status == "done" else log.warning
    tell("eval over", eval=name, status=ended.status, why=ended.why)


def options_of(loaded: Loaded, schedule: Schedule) -> Options:
    """What a schedule's table says, as the flags of `refiner eval run` do."""
    settings = loaded.for_task(schedule.settings)
    wanted = Wanted(schedule.sets, schedule.limit, schedule.sample)
    return Options(
        wanted,
        resolve(settings, loaded.paths),
        settings,
        limits_of(settings),
        schedule.replicates or 1,
        schedule.control is not False,
        schedule.vote or "own",
    )
