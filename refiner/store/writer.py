"""One thread writes, and takes all that is waiting into one transaction: a thousand runs commit as cheaply as one."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import anyio
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from refiner.domain.errors import RefinerError, StoreError
from refiner.domain.events import Recorded
from refiner.store.engine import Database
from refiner.store.faults import explain
from refiner.store.journal import Append

GATHERING = 0.005
"""Seconds from one transaction to the next while jobs come several at a time: it costs as much as five of them."""

T = TypeVar("T")
Work = Callable[[Connection], T]


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    work: Append | Work[Any]
    done: "asyncio.Future[Any]"


class Writer:
    """Commits appends and other writes in the order they come, as many at once as are waiting.

    A transaction that one of its jobs spoils is rolled back, and its jobs are then committed one by one, so each is
    written whole or not at all and only the culprit fails. A wait that is cancelled does not take a job back once
    its transaction has begun. timed is told, in the thread, how many seconds each transaction took.
    """

    def __init__(
        self, database: Database, write: Callable[[Connection, Sequence[Append]], list[list[Recorded]]]
    ) -> None:
        self._database, self._write = database, write
        self._waiting: deque[_Job] = deque()
        self._closed = False
        self._not_before = 0.0
        self.timed: Callable[[float], None] = lambda _: None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="refiner-store")

    async def append(self, append: Append) -> list[Recorded]:
        recorded: list[Recorded] = await self._submit(append)
        return recorded

    async def do(self, work: Work[T]) -> T:
        """The result of `work`, run in the thread and committed."""
        result: T = await self._submit(work)
        return result

    async def aside(self, work: Callable[[], T]) -> T:
        """The result of `work`, run in the thread between two transactions."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except Exception as error:
            raise self._explained(error) from error

    async def aclose(self) -> None:
        """Commit what is waiting, and end the thread."""
        self._closed = True
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self._thread.shutdown)

    def _submit(self, work: Append | Work[Any]) -> "asyncio.Future[Any]":
        if self._closed:
            raise StoreError("the store was closed: open it again")
        job = _Job(work, asyncio.get_running_loop().create_future())
        self._waiting.append(job)
        # Whoever finds others waiting knows that the thread has not taken them yet, and will take this job too.
        if len(self._waiting) == 1:
            self._thread.submit(self._commit_waiting)
        return job.done

    def _commit_waiting(self) -> None:
        time.sleep(max(0.0, self._not_before - time.monotonic()))
        jobs = []
        while self._waiting:
            jobs.append(self._waiting.popleft())
        # A run that is alone has nobody to wait for.
        self._not_before = time.monotonic() + GATHERING if len(jobs) > 1 else 0.0
        self._commit([job for job in jobs if not job.done.cancelled()])

    def _commit(self, jobs: Sequence[_Job]) -> None:
        if not jobs:
            return
        began = time.perf_counter()
        try:
            with self._database.write.begin() as connection:
                results = self._perform(connection, jobs)
        except Exception as error:  # noqa: BLE001 - whatever it is, the tasks that wait have to hear of it
            if len(jobs) > 1 and isinstance(error, IntegrityError | RefinerError):
                for job in jobs:
                    self._commit([job])
            else:
                _settle([(job, None, self._explained(error)) for job in jobs])
        else:
            self.timed(time.perf_counter() - began)
            _settle([(job, result, None) for job, result in zip(jobs, results, strict=True)])

    def _explained(self, error: Exception) -> BaseException:
        fault = explain(error, self._database.url)
        if fault is not error:
            fault.__cause__ = error
        return fault

    def _perform(self, connection: Connection, jobs: Sequence[_Job]) -> list[Any]:
        appends = [job.work for job in jobs if isinstance(job.work, Append)]
        recorded = iter(self._write(connection, appends) if appends else ())
        return [next(recorded) if isinstance(job.work, Append) else job.work(connection) for job in jobs]


def _settle(outcomes: Sequence[tuple[_Job, Any, BaseException | None]]) -> None:
    """Wake all tasks of one transaction with one call to their loop."""

    def wake() -> None:
        for job, result, error in outcomes:
            if job.done.done():
                continue
            if error is None:
                job.done.set_result(result)
            else:
                job.done.set_exception(error)

    # A loop that was closed meanwhile has nobody left who waits.
    with suppress(RuntimeError):
        outcomes[0][0].done.get_loop().call_soon_threadsafe(wake)
