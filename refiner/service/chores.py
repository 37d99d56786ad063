"""What the service does again and again: keep its house, and solve and evaluate what is scheduled."""

import json
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import anyio

from refiner.app.plan import plan_of, task_of
from refiner.app.source import Source
from refiner.config.paths import made
from refiner.config.settings import Schedule
from refiner.config.sources import Loaded
from refiner.domain.errors import UsageError
from refiner.domain.events import RunStarted
from refiner.domain.run import Plan
from refiner.providers.connect import resolve
from refiner.sandbox.stale import sweep
from refiner.service.cron import Cron

if TYPE_CHECKING:
    from refiner.service.workers import Workers
    from refiner.store.sql import SqlStore

T = TypeVar("T")

SNAPSHOTS = 1 << 20
"""Bytes of snapshots that are kept, about three weeks; then the older half goes."""


@dataclass(frozen=True)
class House:
    """What there is to look after."""

    loaded: Loaded
    store: "SqlStore"
    workers: "Workers"


@dataclass(frozen=True)
class Chore:
    """What recurs: its name is where its settings lie; `do` is told the time at which it was due."""

    name: str
    what: str
    cron: Cron
    do: Callable[[House, datetime], Awaitable[None]]


def chores(loaded: Loaded) -> list[Chore]:
    """All that the settings ask for. Raises UsageError for a schedule that cannot be kept, by its name."""
    return [*_upkeep(loaded), *(_scheduled(loaded, name, each) for name, each in loaded.settings.schedules.items())]


def _upkeep(loaded: Loaded) -> Iterator[Chore]:
    said, sqlite = loaded.settings.upkeep, loaded.paths.database_file is not None
    yield Chore("upkeep.sweep", "adopt the runs of dead services, clear the sandbox", Cron.of("*/5 * * * *"), _swept)
    yield Chore("upkeep.metrics", "write a snapshot to metrics.jsonl", Cron.of("*/10 * * * *"), _measured)
    if sqlite:
        yield Chore("upkeep.checkpoint", "write the log into the database", Cron.of("*/10 * * * *"), _checkpointed)
    elif said.backup or said.keep_bytes:
        raise UsageError("upkeep.backup and upkeep.keep_bytes are for SQLite: PostgreSQL has its own tools for them")
    nightly = _told(loaded, "upkeep.nightly", partial(Cron.of, said.nightly))
    if said.backup:
        yield Chore("upkeep.backup", f"copy the database into {said.backup}", nightly, _backed_up)
    if said.keep_days or said.keep_bytes:
        yield Chore("upkeep.retention", "remove old runs", nightly, _pruned)


def _scheduled(loaded: Loaded, name: str, schedule: Schedule) -> Chore:
    where = f"schedules.{name}"
    if (schedule.input, schedule.file, schedule.sets or None).count(None) != 2:
        raise UsageError(f"{where} has to have one of input, file and datasets")
    cron = _told(loaded, f"{where}.cron", partial(Cron.of, schedule.cron or ""))
    plan = partial(_plan, loaded, schedule)
    _told(loaded, where, plan)
    if schedule.sets:
        return Chore(where, f"evaluate {' '.join(schedule.sets)}", cron, partial(_evaluated, where, schedule))
    return Chore(where, f"solve {schedule.file or schedule.input}", cron, partial(_solved, where, plan))


def _told(loaded: Loaded, where: str, work: Callable[[], T]) -> T:
    """The result of `work`; its errors say where they come from."""
    try:
        return work()
    except UsageError as error:
        source = loaded.sources.get(where, "default")
        place = source if where in source else where if source == "default" else f"{source}: {where}"
        raise type(error)(f"{place}: {error}") from error


def _plan(loaded: Loaded, schedule: Schedule) -> Plan:
    settings = loaded.for_task(schedule.settings)
    text = Source.read(schedule.file).text if schedule.file else schedule.input
    # What an eval asks is read when it is due: any question tells whether its settings can be used.
    return plan_of(
        task_of("?" if schedule.sets else text or "", settings.answer_type), settings, resolve(settings, loaded.paths)
    )


async def _solved(name: str, plan: Callable[[], Plan], house: House, due: datetime) -> None:
    """Hand a task in. The key makes it one run, however often and by however many services it is handed in."""
    run, key = await house.store.new_id(), f"{name}@{due.isoformat()}"
    await house.store.submit(run, [RunStarted(plan())], name, key=key)
    house.workers.wake()


async def _evaluated(name: str, schedule: Schedule, house: House, due: datetime) -> None:
    from refiner.service.evaluating import evaluated

    await evaluated(house.workers, house.loaded, schedule, f"{name}@{due.isoformat()}")


async def _swept(house: House, _due: datetime) -> None:
    house.workers.sweep()
    await anyio.to_thread.run_sync(sweep, tempfile.gettempdir())


async def _checkpointed(house: House, _due: datetime) -> None:
    await house.store.checkpoint()


async def _pruned(house: House, _due: datetime) -> None:
    from refiner.store.removal import Keep

    said = house.loaded.settings.upkeep
    await house.store.prune(Keep(said.keep_days, said.keep_bytes))


async def _backed_up(house: House, due: datetime) -> None:
    said, url = house.loaded.settings.upkeep, house.loaded.paths.database
    assert said.backup  # noqa: S101
    from refiner.store import maintain

    def copy(folder: Path) -> None:
        target = made(folder) / f"refiner-{due:%Y%m%dT%H%MZ}.db"
        if not target.exists():
            maintain.backup(url, target)
        for old in sorted(folder.glob("refiner-????????T????Z.db"))[: -said.backups]:
            old.unlink()

    await anyio.to_thread.run_sync(copy, said.backup)


async def _measured(house: House, _due: datetime) -> None:
    told = {"at": datetime.now(UTC).isoformat(), "runs": [asdict(each) for each in await house.store.totals()]}
    file = made(house.loaded.paths.state) / "metrics.jsonl"

    def write() -> None:
        lines = [*(file.read_text().splitlines(keepends=True) if file.exists() else ()), json.dumps(told) + "\n"]
        if sum(map(len, lines)) > SNAPSHOTS:
            lines = lines[len(lines) // 2 :]
        file.write_text("".join(lines))

    await anyio.to_thread.run_sync(write)
