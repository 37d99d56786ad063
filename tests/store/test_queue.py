"""The queue: fair over submitters, first by priority, and what a dead service left is adopted."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from refiner.store.sql import SqlStore
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


async def test_a_key_names_one_run(store: SqlStore) -> None:
    assert await store.submit("r-1", [STARTED], "ada", 0, "k") == "r-1"
    assert await store.submit("r-2", [STARTED], "ada", 0, "k") == "r-1"
    assert [row.id for row in await store.runs()] == ["r-1"]


async def test_what_a_dead_service_left_is_adopted_and_counted(store: SqlStore, url: str, tmp_path: Path) -> None:
    await submitted(store, "r-1", "ada")
    await store.create("r-2")  # of no queue, so it is left to its user
    await store.append("r-2", [STARTED])
    for crashes in (1, 2):
        service = SqlStore.open(url, state=tmp_path / "state")
        if crashes == 1:
            assert await service.take(9) == ["r-1"]
        else:
            (orphan,) = await service.adopt()
            assert (orphan.run, orphan.crashes, orphan.paused) == ("r-1", crashes - 1, False)
        assert await store.adopt() == []  # it lives
        await service.aclose()
    (orphan,) = await store.adopt()
    assert (orphan.run, orphan.crashes) == ("r-1", 2)
