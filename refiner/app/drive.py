"""`refiner.drive`: a graph of one's own as a run, stored, budgeted and resumable like any other."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from refiner.app.plan import plan_of
from refiner.app.world import opened
from refiner.autograd import arguments
from refiner.config.sources import load
from refiner.domain.result import Result, result_of
from refiner.domain.run import Stop
from refiner.domain.task import Kind, Task
from refiner.prompts import Prompts
from refiner.providers.connect import resolve
from refiner.run.context import RunContext
from refiner.run.engines import RunEngine
from refiner.run.journal import Listener
from refiner.run.steering import steered
from refiner.strategies import Strategy
from refiner.strategies.drive import connect_all, create, resume_run

NAME = "descent"


async def drive(
    descent: Callable[[RunEngine], Awaitable[Stop]],
    text: str,
    *,
    resume: str | None = None,
    config: Path | None = None,
    listener: Listener | None = None,
    **settings: Any,
) -> Result:
    """Run a descent of one's own on a text; its answer is the last candidate that was accepted.

    descent gets the engine of the run, which asks the model of each call's role and keeps to the limits; it records
    what it does with `descend(…, record=engine.record)`, and says why it stopped. settings are those of refiner.toml by
    name (model, critic_model, max_cost, …). resume: the id of a run that was interrupted; the descent is gone through
    again, asks the same again, and the journal answers what was paid for. Raises RefinerError as `solve` does.
    """
    arguments.functions(descent=descent)
    arguments.texts(text=text)
    loaded = load(keywords=settings, config=config)

    async def driven(context: RunContext, _: Prompts) -> Stop:
        stop = await arguments.awaited("descent", descent(RunEngine(context)))
        arguments.checked(isinstance(stop, Stop), "what descent came to", stop, "why it stopped, such as `found.stop`")
        return stop

    strategy = Strategy(driven, "a descent of one's own", 1, 0, until="", voters="nobody")
    async with opened(loaded.settings, loaded.paths) as world:
        if resume:
            run = await world.store.find(resume)
            await world.store.claim(run)
        else:
            own = loaded.settings.model_copy(update={"strategy": "refine", "chains": 1})
            plan = plan_of(Task(text, Kind.TEXT), own, resolve(loaded.settings, loaded.paths))
            updater = loaded.settings.updater_model or plan.models.critic
            plan = replace(plan, strategy=NAME, models=replace(plan.models, updater=updater))
            await connect_all(world, plan)
            run = await create(world, plan)
        async with steered(world.store, run) as steering:
            state = await resume_run(world, run, listener, steering.started, streams=listener is not None, own=strategy)
        return result_of(run, state)
