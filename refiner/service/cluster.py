"""The queue of several hosts: procrastinate, on the PostgreSQL database that is their store."""

import asyncio
import logging
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import anyio

from refiner.domain.errors import StoreError, UsageError
from refiner.service.queue import Crew
from refiner.store.address import address
from refiner.store.sql import SqlStore

SCHEMA = "refiner_queue"
"""Where procrastinate's tables are. They hold rings alone, so nothing is lost with them."""

RING = 2.0
"""Seconds between two counts of runs that wait and rings for them; also between two signs of life."""

DEAD = 10.0
"""Seconds without a sign of life until a worker's rings are rung again."""

_QUEUE = "runs"


@dataclass(slots=True)
class Cluster:
    """A job is a ring: whichever host gets it takes the run that is next, and keeps the job until the run's end."""

    store: SqlStore
    url: str
    _news: anyio.Event = field(default_factory=anyio.Event)

    def put(self) -> None:
        self._news.set()

    async def work(self, crew: Crew) -> None:
        import psycopg
        from procrastinate.exceptions import ProcrastinateException

        for name in ("procrastinate", "psycopg.pool"):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # the crew says what there is to say, once
        while not crew.closed.is_set():
            try:
                await self._session(crew)
            except (ProcrastinateException, psycopg.Error) as error:
                crew.failed(StoreError(f"the queue cannot be reached ({error.__cause__ or error})"))
            except StoreError as error:
                crew.failed(error)
            with anyio.move_on_after(RING):
                await crew.closed.wait()

    async def _session(self, crew: Crew) -> None:
        """Work until the crew is closed, or the connection is lost."""
        from procrastinate import App, PsycopgConnector

        await _prepare(self.url)
        options = {"options": f"-c search_path={SCHEMA}"}
        app = App(connector=PsycopgConnector(conninfo=self.url, kwargs=options, min_size=0, max_size=3, timeout=5))

        @app.task(name="advance", queue=_QUEUE)
        async def advance() -> None:
            for end in await crew.take(1):
                await end.wait()

        # When the connection is lost its jobs are given up, at once; their runs go on.
        worker = app.run_worker_async(
            queues=[_QUEUE],
            concurrency=crew.most,
            install_signal_handlers=False,
            shutdown_graceful_timeout=0,
            delete_jobs="always",
            update_heartbeat_interval=RING,
            stalled_worker_timeout=DEAD,
        )
        async with app.open_async():
            await _first(worker, self._ring(app, advance, crew), crew.closed.wait())

    async def _ring(self, app: Any, advance: Any, crew: Crew) -> None:
        """Ring as often as there are runs that wait, or as this crew could take."""
        from procrastinate.exceptions import ConnectorException

        jobs, most = app.job_manager, crew.most
        while crew.most == most:  # another number takes another worker
            self._news = anyio.Event()
            rings = sum(queue["todo"] for queue in await jobs.list_queues_async(queue=_QUEUE, status="todo"))
            if (lacking := min(await self.store.waiting(), crew.most) - rings) > 0:
                await advance.batch_defer_async(*({} for _ in range(lacking)))
            for job in await jobs.get_stalled_jobs(queue=_QUEUE, seconds_since_heartbeat=DEAD):
                with suppress(ConnectorException):  # another host was first
                    await jobs.retry_job(job)
            with anyio.move_on_after(RING):
                await self._news.wait()


def cluster(store: SqlStore, url: str) -> Cluster:
    """The queue that lies with the store at an SQLAlchemy URL."""
    return Cluster(store, address(url).set(drivername="postgresql").render_as_string(hide_password=False))


def check(url: str) -> None:
    """Raises UsageError where no cluster can be at that URL, or procrastinate is not installed."""
    if address(url).get_backend_name() != "postgresql":
        raise UsageError("a queue of several hosts needs PostgreSQL: write --queue postgresql://host/name")
    if find_spec("procrastinate") is None:
        raise UsageError("a queue of several hosts needs its extra: pip install 'refiner[cluster]'")


async def _prepare(url: str) -> None:
    """Make procrastinate's tables, once."""
    from procrastinate.schema import SchemaManager
    from psycopg import AsyncConnection

    async with await AsyncConnection.connect(url, connect_timeout=5) as connection:
        await connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [SCHEMA])
        there = await connection.execute("SELECT to_regnamespace(%s) IS NOT NULL", [SCHEMA])
        if await there.fetchone() == (False,):
            await connection.execute(f"CREATE SCHEMA {SCHEMA}; SET LOCAL search_path = {SCHEMA}")
            await connection.execute(SchemaManager.get_schema())


async def _first(*works: Awaitable[Any]) -> None:
    """Wait for the first to end, and end the others. Procrastinate's worker is told by cancelling its task."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        ended = [task for task in tasks if task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in ended:
        task.result()
