"""`refiner.solve`: one task from a question to its result, for programs."""

from functools import partial
from pathlib import Path
from typing import Any

import anyio

from refiner.app.plan import plan_of, task_of
from refiner.app.world import opened
from refiner.config.sources import load
from refiner.domain.code import Suite
from refiner.domain.result import Result, result_of
from refiner.providers.connect import resolve
from refiner.run.journal import Listener
from refiner.run.steering import steered
from refiner.strategies.drive import connect_all, create, resume_run


async def solve(
    question: str,
    *,
    program: str | None = None,
    suite: Suite | None = None,
    model: str | None = None,
    config: Path | None = None,
    listener: Listener | None = None,
    **settings: Any,
) -> Result:
    """Refine the answer to one question, and return what `refiner solve --json` prints.

    program is one to mend, suite the tests that a program has to pass; either makes the answer a program. settings are
    those of refiner.toml by name (strategy, chains, max_iterations, max_cost in US dollars, …). The run is stored like
    any other. listener hears every event once it is committed.

    Raises RefinerError: UsageError before anything is spent, ProviderError after the retries (its `run` can be
    resumed), StoreError. A run that ends without an answer is a result with `exit` 4, not an error.
    """
    loaded = load(keywords={"model": model, **settings}, config=config)
    task = task_of(question, loaded.settings.answer_type, program, suite)
    plan = plan_of(task, loaded.settings, resolve(loaded.settings, loaded.paths))
    async with opened(loaded.settings, loaded.paths) as world:
        await connect_all(world, plan)
        run = await create(world, plan)
        async with steered(world.store, run) as steering:
            state = await resume_run(world, run, listener, steering.started, streams=listener is not None)
        return result_of(run, state)


def solve_sync(question: str, **settings: Any) -> Result:
    """The same as `solve`, for programs without an event loop."""
    return anyio.run(partial(solve, question, **settings))
