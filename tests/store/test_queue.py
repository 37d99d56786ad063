"""The queue: fair over submitters, first by priority, and what a dead service left is adopted."""

from datetime import datetime
from pathlib import Path
from unittest.mock import Mock

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from refiner.domain.errors import StoreError, UsageError
from refiner.domain.events import Note, Steered
from refiner.domain.run import Word
from refiner.domain.state import fold
from refiner.store.queue import Orphan
from refiner.store.sql import SqlStore
from tests.store.locks import session
from tests.store.postgresql import Cluster
from tests.store.samples import STARTED

pytestmark = pytest.mark.anyio


async def submitted(store: SqlStore, run: str, submitter: str, priority: int = 0) -> None:
    assert await store.submit(run, [STARTED], submitter, priority) == run


async def test_the_queue_is_fair_over_those_who_hand_in(store: SqlStore) -> None:
    for number in range(4):
        await submitted(store, f"r-a{number}", "ada")
    await submitted(store, "r-b0", "bob")
    await submitted(store, "r-c0", "cy", priority=1)
    assert [row.status for row in await store.runs()] == ["queued"] * 6
    assert await store.take(3) == ["r-c0", "r-a0", "r-b0"]
    assert await store.take(9) == ["r-a1", "r-a2", "r-a3"]
    assert await store.take(1) == []
    assert all(row.live and row.status == "running" for row in await store.runs())


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 2)), min_size=1, max_size=12), st.integers(1, 4))
async def test_every_run_is_taken_once_and_none_waits_behind_a_lower_priority(
    store: SqlStore, handed: list[tuple[str, int]], most: int
) -> None:
    names = [await store.new_id() for _ in handed]
    for name, (submitter, priority) in zip(names, handed, strict=True):
        await submitted(store, name, submitter, priority)
    taken: list[str] = []
    while some := await store.take(most):
        assert len(some) <= most
        taken += some
    priorities = {name: priority for name, (_, priority) in zip(names, handed, strict=True)}
    assert sorted(taken) == sorted(names)
    assert [priorities[name] for name in taken] == sorted(priorities.values(), reverse=True)


async def test_what_others_commit_is_seen_after_looks_that_found_nothing(
    store: SqlStore, url: str, tmp_path: Path
) -> None:
    other = SqlStore.open(url, state=tmp_path / "state")
    for run in ("r-1", "r-2"):
        assert not await store.take(1)
        assert not await store.told(0)
        last = await store.last()
        assert await store.feed(last) == []
        await submitted(other, run, "ada")
        assert [event.run for event in await store.feed(last)] == [run]
        assert await store.take(1, {run}) == await store.take(1, {run}) == []
        assert await store.take(1) == [run]
    await other.ask("r-2", "pause", "ada")
    assert [run for _, run in await store.told(0)] == ["r-2"]
    await other.aclose()


async def test_a_clock_that_is_put_back_leaves_runs_in_the_order_in_which_they_came(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    hours = iter((12, 11, 10))
    clock = Mock(now=lambda zone: datetime(2026, 5, 1, next(hours), tzinfo=zone))
    monkeypatch.setattr("refiner.store.queue.datetime", clock)
    await submitted(store, "r-2", "ada")
    await submitted(store, "r-1", "ada")
    await store.create("r-0")
    assert [row.id for row in await store.runs()] == ["r-0", "r-1", "r-2"]
    assert await store.take(2) == ["r-2", "r-1"]


async def test_a_key_names_one_run(store: SqlStore) -> None:
    assert await store.submit("r-1", [STARTED], "ada", 0, "k") == "r-1"
    assert await store.submit("r-2", [STARTED], "ada", 0, "k") == "r-1"
    assert [row.id for row in await store.runs()] == ["r-1"]


async def test_what_a_dead_service_left_is_queued_again_and_counted(store: SqlStore, url: str, tmp_path: Path) -> None:
    await submitted(store, "r-1", "ada")
    await store.create("r-2")  # of no queue, so it is left to its user
    await store.append("r-2", [STARTED])
    for crashes in (1, 2):
        service = SqlStore.open(url, state=tmp_path / "state")
        assert await service.take(9, ["r-1"]) == []
        assert await service.take(9) == ["r-1"]
        assert await store.recover(3) == []  # it lives
        if crashes == 2:
            await service.append("r-1", [Steered(Word(1, "pause", "ada"))])
        await service.aclose()
        assert await store.due("r-1")
        with anyio.fail_after(60):  # PostgreSQL takes a moment to notice that a session is over
            while {row.id: row.status for row in await store.runs()} != {"r-1": "queued", "r-2": "running"}:
                pass
        while not (orphans := await store.recover(3)):
            pass
        assert orphans == [Orphan("r-1", crashes)]
        with pytest.raises(StoreError, match="not held"):
            await store.append("r-1", [Note("late")])
    (word,) = await store.asked("r-1", 0)
    assert word.control == "pause"  # so whoever takes it next pauses it


async def test_a_run_that_waits_hears_what_is_said_to_it(store: SqlStore) -> None:
    for name in ("r-1", "r-2"):
        await submitted(store, name, "ada")
    for _ in range(2):  # also one that was resumed
        await store.ask("r-1", "cancel", "bob")
        (row,) = [row for row in await store.runs() if row.id == "r-1"]
        assert (row.status, row.stop) == ("interrupted", "signal")
        assert fold(await store.events("r-1")).status == "interrupted"
        with pytest.raises(UsageError, match="nor does it wait"):
            await store.ask("r-1", "pause", "bob")
        await store.requeue("r-1")
    await store.ask("r-1", "stop", "bob")
    await store.ask("r-2", "pause", "bob")
    assert await store.take(9) == ["r-2"]
    assert [word.control for word in await store.asked("r-2", 0)] == ["pause"]


async def test_over_which_too_many_services_died_is_not_queued_again(store: SqlStore, url: str, tmp_path: Path) -> None:
    await submitted(store, "r-1", "ada")
    service = SqlStore.open(url, state=tmp_path / "state")
    await service.take(1)
    await service.aclose()
    while not await store.recover(1):
        pass
    assert await store.take(1) == []
    await store.append("r-1", [Note("parked")])


async def test_a_service_that_was_taken_for_dead_writes_no_more(server: Cluster, tmp_path: Path) -> None:
    url = server.new_database()
    slept, other = (SqlStore.open(url, state=tmp_path) for _ in range(2))
    await submitted(slept, "r-1", "ada")
    await slept.take(1)
    with session(url) as connection:  # its host is cut off
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1"
        )
    while not await other.recover(3):
        pass
    assert await other.take(1) == ["r-1"]
    with pytest.raises(StoreError, match="not held"):
        await slept.append("r-1", [Note("I am back")])
    await other.append("r-1", [Note("mine")])
    await slept.aclose()
    await other.aclose()


async def test_who_has_lost_a_session_gives_the_others_time_to_come_back(server: Cluster, tmp_path: Path) -> None:
    url = server.new_database()
    one, other = (SqlStore.open(url, state=tmp_path) for _ in range(2))
    await submitted(one, "r-1", "ada")
    await one.take(1)
    await other.recover(3)
    with session(url) as connection:  # the server was restarted
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    assert await other.recover(3) == []
    await one.append("r-1", [Note("I am back")])
    await one.aclose()
    await other.aclose()
