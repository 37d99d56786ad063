"""A world over the scripted provider: a real store in a folder, the real SDK over real HTTP."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from pathlib import Path

import anyio.lowlevel

from refiner.app.plan import plan_of, task_of
from refiner.config.settings import Settings
from refiner.domain.events import Delta, Recorded
from refiner.domain.run import Plan
from refiner.domain.state import RunState
from refiner.providers.openai import OpenAIProvider
from refiner.providers.retry import retrying
from refiner.run.context import Line
from refiner.store.sql import SqlStore
from refiner.strategies.drive import World, create, resume_run
from tests.scripted.script import Asked
from tests.scripted.server import Scripted

MODEL = "openai:scripted"


@asynccontextmanager
async def world_of(scripted: Scripted, folder: Path, attempts: int = 3) -> AsyncIterator[World]:
    """A world whose one model is the scripted provider, its limiter wide open and its retries without waiting."""

    async def at_once(_seconds: float) -> None:
        await anyio.lowlevel.checkpoint()

    provider = OpenAIProvider("scripted", name=MODEL, api_key="none", base_url=scripted.openai, free=True)
    capabilities = await provider.capabilities()

    async def connect(_name: str, _url: str | None) -> Line:
        return Line(provider, nullcontext, partial(retrying, attempts=attempts, sleep=at_once), capabilities)

    store = SqlStore.open(f"sqlite:///{folder}/refiner.db", state=folder)
    try:
        yield World(store, connect)
    finally:
        await provider.aclose()
        await store.aclose()


def plan(question: str, **settings: object) -> Plan:
    made = Settings.model_validate(settings, strict=False)
    return plan_of(task_of(question, made.answer_type), made, MODEL)


async def solved(
    scripted: Scripted, folder: Path, made: Plan, listener: Callable[[Recorded | Delta], None] | None = None
) -> RunState:
    """Drive a new run of a plan to its end."""
    async with world_of(scripted, folder) as world:
        return await resume_run(world, await create(world, made), listener)


def by_role(**replies: str | Callable[[Asked], str]) -> Callable[[Asked], str]:
    """A script that answers by what the prompt wants: draft, critique, gradient, update, repair."""
    marks = {
        "repair": "could not be read",
        "update": "Improve the",
        "gradient": "The variable to improve is",
        "critique": "Examine the candidate",
        "draft": "",
    }

    def script(asked: Asked) -> str:
        role = next(name for name, mark in marks.items() if mark in asked.last)
        reply = replies[role]
        return reply(asked) if callable(reply) else reply

    return script
