"""Many runs, one transaction; and each append for itself all the same."""

from collections.abc import Callable

import anyio
import pytest
from sqlalchemy import event

from refiner.domain.errors import StoreError
from refiner.domain.events import Note, Recorded
from refiner.store.sql import SqlStore
from tests.store.locks import locked
from tests.store.samples import STARTED, call

pytestmark = pytest.mark.anyio


@pytest.fixture
def commits(store: SqlStore) -> Callable[[], int]:
    """How many transactions the store has committed since."""
    seen: list[None] = []
    event.listen(store._database.write, "commit", lambda _: seen.append(None))
    return lambda: len(seen)


async def test_a_thousand_runs_share_a_handful_of_commits(
    store: SqlStore, url: str, commits: Callable[[], int]
) -> None:
    runs = [f"r-{number}" for number in range(1000)]
    recorded: list[Recorded] = []

    async def begin(run: str) -> None:
        recorded.extend(await store.append(run, [STARTED, call()]))

    async with anyio.create_task_group() as group:
        for run in runs:
            group.start_soon(store.create, run)
    before = commits()
    async with anyio.create_task_group() as group:
        with locked(url):
            for run in runs:
                group.start_soon(begin, run)
            await anyio.wait_all_tasks_blocked()
            assert commits() == before
    # What the thread had taken when it met the lock, if it was quick, and all that came while it waited.
    assert 1 <= commits() - before <= 5
    assert len({each.id for each in recorded}) == 2000
    assert {each.run for each in recorded} == set(runs)
    for run in (runs[0], runs[-1]):
        assert await store.events(run) == [each for each in recorded if each.run == run]


async def test_only_the_culprit_of_a_shared_transaction_fails(store: SqlStore, url: str) -> None:
    await store.create("r-good")
    await store.create("r-bad")
    await store.append("r-bad", [STARTED])
    failures: list[str] = []

    async def add(run: str, number: int) -> None:
        try:
            await store.append(run, [Note(f"{number}"), STARTED] if run == "r-bad" else [Note(f"{number}")])
        except StoreError as error:
            failures.append(str(error))

    async with anyio.create_task_group() as group:
        with locked(url):
            for number in range(10):
                group.start_soon(add, "r-good", number)
                group.start_soon(add, "r-bad", number)
                group.start_soon(add, "r-missing", number)
            await anyio.wait_all_tasks_blocked()
    assert sum("this step already" in failure for failure in failures) == 10
    assert sum("r-missing does not exist" in failure for failure in failures) == 10
    assert [each.event.place for each in await store.events("r-good")] == [f"note/{number}" for number in range(10)]
    assert len(await store.events("r-bad")) == 1


async def test_a_cancelled_append_is_written_whole_or_not_at_all(store: SqlStore, url: str) -> None:
    await store.create("r-1")
    async with anyio.create_task_group() as group:
        with locked(url):
            group.start_soon(store.append, "r-1", [Note("0"), Note("1")])
            group.start_soon(store.append, "r-1", [Note("2"), Note("3")])
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()
    (last,) = await store.append("r-1", [Note("4")])
    places = [each.event.place for each in await store.events("r-1")]
    assert places[-1] == last.event.place == "note/4"
    assert places[:-1] in ([], ["note/0", "note/1"])


async def test_closing_commits_what_waits(store: SqlStore, url: str) -> None:
    await store.create("r-1")
    async with anyio.create_task_group() as group:
        with locked(url):
            group.start_soon(store.append, "r-1", [STARTED])
            await anyio.wait_all_tasks_blocked()
            group.start_soon(store.aclose)
            await anyio.wait_all_tasks_blocked()
    with pytest.raises(StoreError, match="store was closed"):
        await store.append("r-1", [Note("late")])
    assert len(await store.events("r-1")) == 1
