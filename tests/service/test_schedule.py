"""Chores at their times: each once, whatever the clock and the service do; and what the chores of the house do."""

import json
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from refiner.app.world import opened
from refiner.config.sources import Loaded, load
from refiner.domain.errors import StoreError, UsageError
from refiner.domain.events import RunStarted
from refiner.service import chores as module
from refiner.service import schedule
from refiner.service.chores import Chore, House, chores
from refiner.service.cron import Cron
from refiner.service.feed import Feed
from refiner.service.schedule import Clock, clock_of, key, read_times, times_file
from refiner.service.workers import Workers
from refiner.store import tables
from refiner.store.sql import SqlStore
from tests.store.samples import DONE, STARTED

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 5, 5, 12, 0, 10, tzinfo=UTC)
HOUSE: House = None  # type: ignore[assignment] # no chore of these tests looks at it


class Day:
    """A clock that the test sets, and a chore that notes when it was due."""

    def __init__(self, line: str, fault: Exception | None = None) -> None:
        self.now, self.done, self.kept = NOON, list[datetime](), dict[str, datetime]()
        self.chore = Chore("test", "nothing", Cron.of(line, UTC), self.do)
        self.fault = fault
        self.start()

    async def do(self, _house: House, due: datetime) -> None:
        if self.fault:
            raise self.fault
        self.done.append(due)

    def start(self) -> None:
        def keep(last: Mapping[str, datetime]) -> None:
            self.kept = dict(last)

        self.clock = Clock(HOUSE, [self.chore], dict(self.kept), keep, lambda: self.now)
        self.clock.alarm(self.chore)

    async def ring(self) -> None:
        """What the scheduler and the beat do: fire once the alarm has come."""
        if self.clock.alarm(self.chore) <= self.now:
            await self.clock.fire(self.chore)
            await self.clock.fire(self.chore)  # a beat and a timer may both come


@given(
    st.sampled_from(("* * * * *", "*/10 * * * *", "0 * * * *", "30 3 * * *")),
    st.lists(st.tuples(st.integers(-100_000, 300_000), st.booleans()), max_size=12),
)
async def test_what_was_missed_is_done_once_and_a_clock_that_is_set_stops_nothing(
    line: str, moves: Sequence[tuple[int, bool]]
) -> None:
    day = Day(line)
    for seconds, restarted in moves:
        before, count = day.now, len(day.done)
        day.now += timedelta(seconds=seconds)
        if restarted:
            day.start()
        await day.ring()
        due = day.chore.cron.latest(before, day.now) if seconds > 0 else None
        assert day.done[count:] == ([due] if due else [])


async def test_a_clock_that_goes_back_brings_the_same_time_again_for_the_same_key() -> None:
    day = Day("0 3 * * *")
    for moment in (NOON.replace(day=6), NOON.replace(day=5), NOON.replace(day=6)):
        day.now = moment
        await day.ring()
    assert Counter(day.done) == {NOON.replace(day=6, hour=3, second=0): 2}


async def test_the_beat_sees_what_no_timer_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "BEAT", 0.001)
    day, closing = Day("0 3 * * *"), anyio.Event()
    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(day.clock.run, closing)
            for woken in (NOON + timedelta(days=40), NOON - timedelta(days=40), NOON - timedelta(days=39)):
                await anyio.wait_all_tasks_blocked()
                day.now = woken
                while day.clock.last[key(day.chore)] > woken or day.clock.alarm(day.chore) <= woken:
                    await anyio.wait_all_tasks_blocked()
            closing.set()
    assert day.done == [moment.replace(hour=3, second=0) for moment in (NOON + timedelta(40), NOON - timedelta(39))]


async def test_a_new_line_has_missed_nothing(tmp_path: Path) -> None:
    def clock(line: str) -> Clock:
        return clock_of(House(loaded(tmp_path, f"upkeep.nightly={line}", "upkeep.keep_days=1"), *[None] * 2))  # type: ignore[arg-type]

    times_file(loaded(tmp_path).paths).parent.mkdir(parents=True)
    old = clock("0 3 * * *")
    old.last["upkeep.retention 0 3 * * *"] = NOON
    old.keep(old.last)
    assert "upkeep.retention 0 3 * * *" in clock("0 3 * * *").last
    assert clock("0 4 * * *").last == {}
    times_file(loaded(tmp_path).paths).write_text("[1")
    assert clock("0 3 * * *").last == {}


async def test_what_the_store_refuses_stays_due_and_other_failures_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "AGAIN", 0)
    day = Day("* * * * *", StoreError("the disk is full"))
    day.now += timedelta(minutes=1)
    await day.ring()
    day.fault = None
    await day.ring()
    assert len(day.done) == 1
    for fault in (UsageError("the file is gone"), ZeroDivisionError()):
        day.fault = fault
        day.now += timedelta(minutes=1)
        await day.ring()
        assert day.clock.alarm(day.chore) > day.now


def loaded(home: Path, *sets: str) -> Loaded:
    return load(sets=sets, cwd=home, environ={"REFINER_HOME": str(home), "OPENAI_API_KEY": "sk-test"})


def chore(of: Loaded, name: str) -> Chore:
    return next(each for each in chores(of) if each.name == name)


async def test_nightly_the_latest_copies_are_kept_and_old_runs_go(tmp_path: Path) -> None:
    own = loaded(tmp_path, f"upkeep.backup={tmp_path}/copies", "upkeep.backups=2", "upkeep.keep_days=1")
    async with opened(own.settings, own.paths) as world:
        store = world.store
        assert isinstance(store, SqlStore)
        house = House(own, store, Workers(world, store, Feed(store), 0))
        await store.submit("r-waits", [STARTED], "ada")
        for run in ("r-old", "r-new"):
            await store.create(run)
            await store.append(run, [STARTED, DONE])
        with store._database.write.begin() as connection:
            ago = datetime.now(UTC) - timedelta(days=2)
            connection.execute(update(tables.runs).where(tables.runs.c.id != "r-new").values(updated_at=ago))
        for day in (1, 2, 3, 3):
            await chore(own, "upkeep.backup").do(house, NOON.replace(day=day))
        await chore(own, "upkeep.retention").do(house, NOON)
        assert {row.id for row in await store.runs()} == {"r-waits", "r-new"}
    copies = sorted((tmp_path / "copies").iterdir())
    assert [copy.name for copy in copies] == ["refiner-20260502T1200Z.db", "refiner-20260503T1200Z.db"]
    with closing(sqlite3.connect(copies[1])) as copy:
        assert copy.execute("SELECT count(*) FROM runs").fetchone() == (3,)


async def test_snapshots_stay_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SNAPSHOTS", 1000)
    own = loaded(tmp_path)
    async with opened(own.settings, own.paths) as world:
        store = world.store
        assert isinstance(store, SqlStore)
        await store.submit("r-1", [STARTED], "ada")
        for _ in range(40):
            await chore(own, "upkeep.metrics").do(House(own, store, Workers(world, store, Feed(store), 0)), NOON)
    file = own.paths.state / "metrics.jsonl"
    told = [json.loads(line) for line in file.read_text().splitlines()]
    assert file.stat().st_size <= 1000
    assert told[-1]["runs"] == [{"status": "queued", "runs": 1, "calls": 0, "tokens": 0, "cost_usd": 0.0}]


async def test_a_run_whose_service_dies_meanwhile_is_adopted(tmp_path: Path) -> None:
    own = loaded(tmp_path)
    async with opened(own.settings, own.paths) as world, anyio.create_task_group() as tasks:
        store = world.store
        assert isinstance(store, SqlStore)
        workers = Workers(world, store, Feed(store), 0)
        tasks.start_soon(workers.run)
        await anyio.wait_all_tasks_blocked()
        await store.checkpoint()  # behind the look for orphans at the start
        other = SqlStore.open(own.paths.database, state=own.paths.state)
        await other.submit("r-1", [RunStarted(STARTED.plan)], "ada")
        await other.take(1)
        await other.aclose()
        await chore(own, "upkeep.sweep").do(House(own, store, workers), NOON)
        with anyio.fail_after(60):
            while (await store.runs())[0].status == "interrupted":
                pass
        workers.close(0)


async def test_other_settings_come_into_force_unless_they_cannot_be_kept(tmp_path: Path) -> None:
    clock = Clock(House(loaded(tmp_path), *[None] * 2), [], {}, lambda _: None)  # type: ignore[arg-type]
    clock.reset(loaded(tmp_path, "schedules.digest.cron=0 3 * * *", "schedules.digest.input=x"))
    kept = list(clock.chores)
    assert "schedules.digest" in {chore.name for chore in kept}
    clock.reset(loaded(tmp_path, "upkeep.nightly=never"))
    assert clock.chores == kept


@pytest.mark.parametrize(
    ("sets", "words"),
    [
        (["cron=61 * * * *", "input=x"], r"schedules\.digest\.cron: .* is no time"),
        (["input=x"], r"schedules\.digest\.cron: .* has 0 fields"),
        (["cron=0 3 * * *"], r"schedules\.digest has to have one of input, file and datasets"),
        (["cron=0 3 * * *", "input=x", "file=y"], r"schedules\.digest has to have one of"),
        (["cron=0 3 * * *", "datasets=x", "settings.strategy=y"], r"schedules\.digest: .* no strategy"),
        (["cron=0 3 * * *", "file=/nowhere/x"], r"schedules\.digest: .* no file"),
        (["cron=0 3 * * *", "input=x", "settings.vote.mots=3"], r"schedules\.digest: .*vote\.mots.*vote\.most"),
        (["cron=0 3 * * *", "input=x", "settings.strategy=y"], r"schedules\.digest: .* no strategy"),
    ],
)
def test_a_schedule_that_cannot_be_kept_is_named(tmp_path: Path, sets: list[str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        chores(loaded(tmp_path, *(f"schedules.digest.{each}" for each in sets)))
    with pytest.raises(UsageError, match=r"upkeep\.nightly: .* has 1 fields"):
        chores(loaded(tmp_path, "upkeep.nightly=never"))


def test_a_file_of_times_is_read_or_left(tmp_path: Path) -> None:
    file = tmp_path / "schedule.json"
    assert read_times(file) == {}
    for text in ("", "[]", '{"a": 1}', '{"a": "b"}', "\udcff".encode("utf-8", "surrogateescape").decode("latin-1")):
        file.write_text(text)
        assert read_times(file) == {}
