"""The service watched: each event of its runs goes to the metrics, the log and, where asked for, a trace."""

import os
import re
from contextlib import suppress
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import anyio

from refiner.config.settings import Service
from refiner.config.sources import Loaded
from refiner.domain.errors import UsageError
from refiner.domain.events import Recorded, RunFinished
from refiner.service.feed import Feed
from refiner.service.health import LATE, Heart, Readiness
from refiner.service.logs import Diary, log
from refiner.service.metrics import Metrics
from refiner.service.workers import Workers
from refiner.store.sql import SqlStore
from refiner.strategies.drive import World

if TYPE_CHECKING:
    from refiner.service.traces import Tracer

FAREWELL = 4.0
"""Seconds that the last traces have to be sent when the service ends."""

WAITING = 1_000
"""Runs whose traces may wait for a collector; those of further ones are left out."""


class Watch:
    """Hears what the runs of this process commit, without their waiting for it."""

    def __init__(self, loaded: Loaded, world: World, store: SqlStore, workers: Workers, feed: Feed) -> None:
        self.metrics = Metrics()
        self._loaded, self._store, self._workers = loaded, store, workers
        self._heart = Heart(self.metrics.lag.observe)
        self._readiness = Readiness(loaded, store, world.judge)
        self._diary = Diary()
        self._tracer = tracer_of(loaded.settings.service)
        self._heard, self._events = anyio.create_memory_object_stream[Recorded](float("inf"))
        self._ended, self._runs = anyio.create_memory_object_stream[str](WAITING)
        self._done = anyio.Event()
        self.metrics.live.set_function(lambda: len(workers.live))
        self.metrics.listeners.set_function(lambda: feed.listeners)
        store.timed(self.metrics.commit.observe)
        feed.own = self.heard

    def reset(self, loaded: Loaded) -> None:
        """Look for what other settings need."""
        self._readiness.loaded = loaded

    def heard(self, recorded: Recorded) -> None:
        """Told of what the runs of this process commit; who looks on after the end misses it."""
        with suppress(anyio.ClosedResourceError):
            self._heard.send_nowait(recorded)

    async def run(self) -> None:
        """Follow the runs, until `aclose` or it is cancelled."""
        log.info("service started", version=version("refiner"), pid=os.getpid(), socket=str(self._loaded.paths.socket))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._heart.run)
            async with anyio.create_task_group() as following:
                following.start_soon(self._follow)
                following.start_soon(self._trace)
            self._done.set()

    async def aclose(self) -> None:
        """Tell what is left to be told."""
        self._heard.close()
        with anyio.move_on_after(FAREWELL):
            await self._done.wait()
        if self._tracer:
            self._tracer.exporter.shutdown()
        self._events.close()
        self._runs.close()
        log.info("service stopped")

    def health(self) -> tuple[int, dict[str, Any]]:
        """Whether the loop turns, as a status and what to say: how many seconds behind it is."""
        lag = self._heart.lag
        return (200 if lag < LATE else 503), {"ok": lag < LATE, "lag": round(lag, 4)}

    async def ready(self) -> tuple[int, dict[str, Any]]:
        """Whether runs can be taken, as a status and what to say: what is missing, a line each."""
        missing = await self._readiness.missing()
        told = {"ok": not missing, "live": len(self._workers.live), "most": self._workers.most}
        sandbox = await self._readiness.sandbox()
        return (503 if missing else 200), {**told, "sandbox": sandbox, "missing": missing}

    async def exposed(self, accept: str) -> tuple[bytes, str]:
        """The metrics as text, and its content type."""
        self.metrics.queued.set(await self._store.waiting())
        return self.metrics.exposed(accept)

    async def _follow(self) -> None:
        with self._ended:
            async for recorded in self._events:
                try:
                    self.metrics.heard(recorded)
                    self._diary.heard(recorded)
                except Exception:  # noqa: BLE001 - who looks on must not end what is looked at
                    log.exception("event not counted", run=recorded.run)
                if self._tracer and isinstance(recorded.event, RunFinished):
                    self._hand_on(recorded.run)

    def _hand_on(self, run: str) -> None:
        try:
            self._ended.send_nowait(run)
        except anyio.WouldBlock:
            log.warning("trace left out: the collector is too slow", run=run)

    async def _trace(self) -> None:
        async for run in self._runs:
            assert self._tracer is not None  # noqa: S101
            try:
                events = await self._store.events(run)
                await anyio.to_thread.run_sync(self._tracer.send, events, abandon_on_cancel=True)
            except Exception:  # noqa: BLE001 - as above
                log.exception("trace not sent", run=run)


def tracer_of(settings: Service) -> "Tracer | None":
    """What sends traces, where the settings name a collector. Raises UsageError where its libraries are missing."""
    if settings.traces is None:
        return None
    try:
        from refiner.service.traces import Tracer, exporter
    except ModuleNotFoundError as error:
        raise UsageError("service.traces needs OpenTelemetry: pip install 'refiner[otel]'") from error
    if not re.match(r"https?://[^/]", settings.traces):
        raise UsageError(f'service.traces has to be an address such as http://localhost:4318, not "{settings.traces}"')
    return Tracer(exporter(settings.traces), settings.trace_content)
