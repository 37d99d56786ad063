"""The clock of the service: each chore at its time, and once where its time was missed."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import anyio

from refiner.app import disk
from refiner.config.paths import Paths
from refiner.config.sources import Loaded
from refiner.domain.errors import RefinerError, StoreError, UsageError
from refiner.service.chores import Chore, House, chores

BEAT = 30.0
"""Seconds between two looks for what the scheduler's timers do not see: sleep, a clock that was set, a failed chore."""

AGAIN = 300.0
"""Seconds until a chore that the store refused is tried again."""

_log = logging.getLogger(__name__)


def times_file(paths: Paths) -> Path:
    """Where the last times are kept: by the chore and its cron line, so that a new line has missed nothing yet."""
    return paths.state / "schedule.json"


def read_times(file: Path) -> dict[str, datetime]:
    """When each chore was due that was done last. What is missing or damaged was never done."""
    try:
        return {name: datetime.fromisoformat(at).astimezone(UTC) for name, at in json.loads(file.read_text()).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def key(chore: Chore) -> str:
    return f"{chore.name} {chore.cron.line}"


def times(chore: Chore, last: Mapping[str, datetime], now: datetime) -> tuple[datetime | None, datetime]:
    """When a chore was done last, and when it is due next."""
    moment = last.get(key(chore))
    # What was never done counts from when it was first seen, which is no whole minute as the times of crontab are.
    return None if moment is None or moment.microsecond else moment, chore.cron.after(now)


@dataclass(slots=True)
class Clock:
    """Has the chores done. last: when each was due that was done last."""

    house: House
    chores: Sequence[Chore]
    last: dict[str, datetime]
    keep: Callable[[Mapping[str, datetime]], None]
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _busy: set[str] = field(default_factory=set)

    async def run(self, closing: anyio.Event) -> None:
        """Go until `closing`; what is being done then is done again at the next start."""
        from apscheduler.schedulers.asyncio import AsyncIOScheduler  # type: ignore[import-untyped]

        logging.getLogger("apscheduler").setLevel(logging.WARNING)  # it tells of every beat
        async with anyio.create_task_group() as tasks:

            async def ring(chore: Chore) -> None:
                # The scheduler cancels its jobs when it ends: they only hand on.
                tasks.start_soon(self.fire, chore)

            scheduler = AsyncIOScheduler(timezone=UTC)
            scheduler.start()
            try:
                while not closing.is_set():
                    scheduler.remove_all_jobs()
                    for chore in self.chores:
                        once = {"coalesce": True, "misfire_grace_time": None, "next_run_time": self.alarm(chore)}
                        scheduler.add_job(ring, chore.cron.trigger, (chore,), **once)
                    with anyio.move_on_after(BEAT):
                        await closing.wait()
            finally:
                scheduler.shutdown(wait=False)
                tasks.cancel_scope.cancel()

    def reset(self, loaded: Loaded) -> None:
        """Do what other settings ask for, from the next beat on; those that cannot be used are logged and left."""
        try:
            self.chores = chores(loaded)
        except UsageError as error:
            _log.warning("the schedule stays as it was: %s", error)
        else:
            self.house = replace(self.house, loaded=loaded)

    def alarm(self, chore: Chore) -> datetime:
        """When a chore is to be done next: now where it is due."""
        now = self.now()
        return now if self._due(chore, now) else chore.cron.after(now)

    async def fire(self, chore: Chore) -> None:
        """Do a chore if it is due. What the store refuses stays due; any other failure is logged and passed over."""
        due = self._due(chore, self.now())
        if due is None or chore.name in self._busy:
            return
        self._busy.add(chore.name)
        try:
            await chore.do(self.house, due)
        except StoreError as error:
            _log.warning("%s waits: %s", chore.name, error)
            await anyio.sleep(AGAIN)
            return
        except Exception as error:  # noqa: BLE001 - the service outlives its chores
            _log.warning("%s failed: %s", chore.name, error, exc_info=not isinstance(error, RefinerError))
        finally:
            self._busy.discard(chore.name)
        self.last[key(chore)] = due
        self._keep()

    def _due(self, chore: Chore, now: datetime) -> datetime | None:
        last = self.last.get(key(chore))
        if last is None or last > now:
            # A new chore has missed nothing. A clock that was set back goes on from there: the keys of runs see to it
            # that none is solved twice.
            last = self.last[key(chore)] = now
            self._keep()
        return chore.cron.latest(last, now)

    def _keep(self) -> None:
        try:
            self.keep(self.last)
        except RefinerError as error:
            _log.warning("%s", error)


def clock_of(house: House) -> Clock:
    """The clock of a service, which goes on from where the last one stopped. Raises UsageError as `chores` does."""
    every, file = chores(house.loaded), times_file(house.loaded.paths)
    known, wanted = read_times(file), {key(chore) for chore in every}

    def keep(last: Mapping[str, datetime]) -> None:
        disk.replace(file, json.dumps({name: at.isoformat() for name, at in last.items()}).encode())

    return Clock(house, every, {name: at for name, at in known.items() if name in wanted}, keep)
