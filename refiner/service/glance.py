"""The service at a glance: its queue, workers, providers, schedules and the end of its log."""

from dataclasses import dataclass

from refiner.app.world import Lines
from refiner.domain.service import Recurring, ServiceState
from refiner.service.logs import RECENT
from refiner.service.schedule import Clock, times
from refiner.service.workers import Workers
from refiner.store.sql import SqlStore

FIRST = 100
"""Runs of the queue that are named."""


@dataclass(frozen=True, slots=True)
class Glance:
    """Looks at the parts of a service."""

    store: SqlStore
    workers: Workers
    lines: Lines
    clock: Clock

    async def state(self) -> ServiceState:
        now = self.clock.now()
        return ServiceState(
            live=len(self.workers.live),
            most=self.workers.most,
            queued=await self.store.waiting(),
            queue=await self.store.in_queue(FIRST),
            providers=self.lines.state(),
            schedules=tuple(
                Recurring(each.name, each.what, each.cron.line, *times(each, self.clock.last, now))
                for each in self.clock.chores
            ),
            log=tuple(RECENT),
        )
