"""What the store promises, the same for every database."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from refiner.domain.calls import Finish, Role, Usage
from refiner.domain.errors import AmbiguousError, NotFoundError, StoreError, UsageError
from refiner.domain.events import Candidate, Event, Note, Steered
from refiner.domain.run import Limits, Phase, Word
from refiner.domain.state import fold
from refiner.domain.store import Store
from refiner.store import ids, tables
from refiner.store.sql import SqlStore
from tests.store.samples import DONE, DRAFT, PLAN, QUESTION, STARTED, TRAJECTORY, call, events, reply

pytestmark = pytest.mark.anyio


async def test_it_is_a_store(store: SqlStore) -> None:
    as_store: Store = store
    assert await as_store.runs() == []


async def test_events_come_back_in_order_with_rising_ids_and_utc_times(store: SqlStore) -> None:
    before = datetime.now(UTC)
    await store.create("r-1")
    recorded = await store.append("r-1", TRAJECTORY[:4]) + await store.append("r-1", TRAJECTORY[4:])
    assert [each.event for each in recorded] == list(TRAJECTORY)
    assert await store.events("r-1") == recorded
    assert sorted({each.id for each in recorded}) == [each.id for each in recorded]
    assert all(before <= each.at <= datetime.now(UTC) and each.at.utcoffset() == timedelta(0) for each in recorded)
    assert await store.events("r-1", after=recorded[3].id) == recorded[4:]
    assert await store.events("r-2") == []


async def test_another_process_reads_the_same(store: SqlStore, url: str, tmp_path: Path) -> None:
    await store.create("r-1")
    recorded = await store.append("r-1", TRAJECTORY)
    other = SqlStore.open(url, state=tmp_path / "state")
    assert await other.events("r-1") == recorded
    assert fold(await other.events("r-1")).status == "running"
    await other.aclose()


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(events, max_size=8, unique_by=lambda event: event.place))
async def test_whatever_a_model_writes_comes_back(store: SqlStore, some: list[Event]) -> None:
    run = await store.new_id()
    await store.create(run)
    recorded = await store.append(run, [event for event in some if event.type != "run-finished"])
    assert await store.events(run) == recorded


async def test_the_line_of_a_run_follows_its_events(store: SqlStore) -> None:
    await store.create("r-1")
    (new,) = await store.runs()
    assert (new.status, new.live, new.title, new.calls, new.cost_usd) == ("new", True, "", 0, 0.0)
    await store.append("r-1", TRAJECTORY[:-2])
    (row,) = await store.runs()
    assert (row.status, row.live, row.stop) == ("running", True, None)
    assert (row.title, row.kind, row.strategy, row.model) == (PLAN.task.title, "choice", "refine", "openai:x")
    assert (row.calls, row.tokens, row.cost_usd, row.iterations) == (2, 590 + 150, 0.75, 1)
    assert new.created_at == row.created_at <= row.updated_at
    await store.append("r-1", TRAJECTORY[-2:-1])
    (row,) = await store.runs()
    assert (row.status, row.live, row.stop) == ("interrupted", False, "signal")
    await store.claim("r-1")
    await store.append("r-1", TRAJECTORY[-1:])
    (row,) = await store.runs()
    assert (row.status, row.live, row.stop, row.iterations) == ("running", True, None, 1)


async def test_an_unknown_cost_stays_unknown(store: SqlStore) -> None:
    await store.create("r-1")
    await store.append("r-1", [STARTED, call("a"), call("b"), reply("a", cost=None)])
    await store.append("r-1", [reply("b")])
    (row,) = await store.runs()
    assert (row.calls, row.cost_usd) == (2, None)


async def test_runs_are_listed_newest_first(store: SqlStore) -> None:
    for run in ("r-1", "r-2", "r-3"):
        await store.create(run)
    assert [row.id for row in await store.runs()] == ["r-3", "r-2", "r-1"]
    assert [row.id for row in await store.runs(limit=2)] == ["r-3", "r-2"]


async def test_every_attempt_is_listed_with_its_messages(store: SqlStore) -> None:
    await store.create("r-1")
    await store.append("r-1", [*TRAJECTORY[:5], call("0/1/critic")])
    failed, answered, out = await store.run_calls("r-1")
    assert (failed.attempt, failed.error, failed.reply, failed.finish) == (1, "timed out\nafter 60 s", None, None)
    assert failed.usage == Usage(1, 90, 0, 500, 0, 0.5)
    assert failed.seconds is not None
    assert (answered.attempt, answered.error, answered.reply, answered.finish) == (2, None, DRAFT, Finish.STOP)
    assert (answered.usage, answered.seconds) == (Usage(1, 100, 40, 50, 10, 0.25), 1.5)
    assert (out.key, out.role, out.model, out.usage, out.seconds) == ("0/1/critic", Role.ANSWER, "openai:x", None, None)
    assert out.messages == call().messages


async def test_every_kind_of_detail_has_its_row(store: SqlStore) -> None:
    await store.create("r-1")
    await store.append("r-1", TRAJECTORY)
    rows = {"candidates": 2, "evaluations": 2, "gradients": 2, "decisions": 2, "calls": 2, "executions": 1}
    with store._database.read.connect() as connection:
        for name, expected in rows.items():
            assert connection.scalar(select(func.count()).select_from(tables.metadata.tables[name])) == expected, name


async def test_a_text_that_iterations_share_is_stored_once(store: SqlStore) -> None:
    await store.create("r-1")
    for turn in range(5):
        await store.append("r-1", [call(f"0/{turn}/critic", instruction=f"Find flaw {turn}. " * 20)])
    await store.create("r-2")
    await store.append("r-2", [call()])
    with store._database.read.connect() as connection:
        digests = connection.scalars(select(tables.texts.c.digest)).all()
    assert len(digests) == len({"Be brief.", QUESTION, DRAFT, "Answer."}) + 5


async def test_an_append_is_all_or_none(store: SqlStore) -> None:
    await store.create("r-1")
    kept = await store.append("r-1", [STARTED])
    with pytest.raises(StoreError, match="has this step already"):
        await store.append("r-1", [Note("new " * 50), reply(), STARTED])
    assert await store.events("r-1") == kept
    assert await store.append("r-1", []) == []
    (row,) = await store.runs()
    assert row.calls == 0


async def test_only_the_holder_appends(store: SqlStore, url: str, tmp_path: Path) -> None:
    other = SqlStore.open(url, state=tmp_path / "state")
    await store.create("r-1")
    with pytest.raises(StoreError, match="not held by this process"):
        await other.append("r-1", [STARTED])
    await store.append("r-1", [STARTED, DONE])
    with pytest.raises(StoreError, match="not held by this process"):
        await store.append("r-1", [Note("late")])
    await other.claim("r-1")
    await other.append("r-1", [Note("mine now")])
    with pytest.raises(StoreError, match="r-9 does not exist"):
        await store.append("r-9", [STARTED])
    await other.aclose()


async def test_a_live_run_is_not_taken_or_removed(store: SqlStore, url: str, tmp_path: Path) -> None:
    other = SqlStore.open(url, state=tmp_path / "state")
    await store.create("r-1")
    for each in (store, other):
        with pytest.raises(UsageError, match="r-1 is being worked on"):
            await each.claim("r-1")
        with pytest.raises(UsageError, match="r-1 is being worked on"):
            await each.remove("r-1")
    await store.aclose()
    (row,) = await other.runs()
    assert (row.status, row.live) == ("interrupted", False)
    await other.claim("r-1")
    (row,) = await other.runs()
    assert (row.status, row.live) == ("new", True)
    await other.aclose()


async def test_each_claim_is_an_epoch(store: SqlStore) -> None:
    await store.create("r-1")
    await store.append("r-1", [DONE])
    await store.claim("r-1")
    with store._database.read.connect() as connection:
        assert connection.scalar(select(tables.runs.c.epoch)) == 2


async def test_words_reach_the_holder_in_order(store: SqlStore, url: str, tmp_path: Path) -> None:
    other = SqlStore.open(url, state=tmp_path / "state")
    await store.create("r-1")
    assert await store.live("r-1")
    assert await store.asked("r-1", 0) == []
    await other.ask("r-1", "pause", "ada")
    await other.ask("r-1", "budget", "bob", Limits(calls=3, cost_usd=0.5))
    pause, budget = await store.asked("r-1", 0)
    assert pause == Word(pause.number, "pause", "ada")
    assert budget == Word(budget.number, "budget", "bob", Limits(calls=3, cost_usd=0.5))
    assert await store.asked("r-1", pause.number) == [budget]
    await store.append("r-1", [DONE])
    assert not await store.live("r-1")
    with pytest.raises(UsageError, match="nothing to stop"):
        await other.ask("r-1", "stop", "ada")
    await other.aclose()


async def test_words_that_nobody_heard_are_not_for_the_next_holder(store: SqlStore) -> None:
    await store.create("r-1")
    await store.ask("r-1", "cancel", "ada")
    await store.append("r-1", [DONE])
    await store.claim("r-1")
    assert await store.asked("r-1", 0) == []


async def test_a_paused_run_is_still_held(store: SqlStore) -> None:
    await store.create("r-1")
    await store.append("r-1", [STARTED, Steered(Word(1, "pause", "ada"))])
    assert [(row.status, row.live) for row in await store.runs()] == [("paused", True)]
    await store.append("r-1", [Steered(Word(2, "resume", "ada"))])
    assert [(row.status, row.live) for row in await store.runs()] == [("running", True)]


async def test_a_removed_run_takes_its_own_texts_along(store: SqlStore) -> None:
    for run in ("r-1", "r-2"):
        await store.create(run)
        await store.append(run, [call(), reply(text=f"only of {run} " * 20), DONE])
    await store.remove("r-1")
    assert await store.events("r-1") == []
    assert len(await store.events("r-2")) == 3
    assert [row.id for row in await store.runs()] == ["r-2"]
    await store.remove("r-2")
    with store._database.read.connect() as connection:
        for table in tables.metadata.sorted_tables:
            assert connection.scalar(select(func.count()).select_from(table)) == 0, table.name


async def test_ids_are_never_used_again(store: SqlStore) -> None:
    await store.create("r-1")
    (last,) = await store.append("r-1", [DONE])
    await store.remove("r-1")
    await store.create("r-2")
    (next_,) = await store.append("r-2", [DONE])
    assert next_.id > last.id


async def test_a_run_is_found_by_its_prefix(store: SqlStore) -> None:
    with pytest.raises(NotFoundError, match="no run yet"):
        await store.find("@")
    for run in ("r-7f", "r-7f3k", "r-7f3m", "r-_x"):
        await store.create(run)
    assert await store.find("@") == "r-_x"
    assert await store.find("r-7f3k") == "r-7f3k"
    assert await store.find("R-7F3K") == "r-7f3k"
    assert await store.find("r-7f") == "r-7f"
    with pytest.raises(AmbiguousError, match="r-7f3m, r-7f3k"):
        await store.find("r-7f3")
    for unknown in ("r-8", "", "r-%", "r-7_3k", "\0", "\ud800", "7f3k"):
        with pytest.raises(NotFoundError, match="refiner run list"):
            await store.find(unknown)


@pytest.mark.parametrize("work", ["claim", "remove"])
async def test_a_run_that_is_not_there_is_not_found(store: SqlStore, work: str) -> None:
    with pytest.raises(NotFoundError, match="no run is called r-1"):
        await getattr(store, work)("r-1")
    with pytest.raises(NotFoundError, match="no run is called r-1"):
        await store.ask("r-1", "stop", "ada")


async def test_an_id_is_made_once(store: SqlStore) -> None:
    await store.create("r-1")
    with pytest.raises(StoreError):
        await store.create("r-1")


async def test_new_ids_are_short_and_easy_to_read(store: SqlStore) -> None:
    run = await store.new_id()
    assert run.startswith("r-")
    assert len(run) == len("r-7f3k")
    assert set(run) <= set("r-0123456789abcdefghjkmnpqrstvwxyz")


async def test_an_id_is_never_given_twice_and_grows_where_short_ones_are_taken(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ids, "LETTERS", "ab")
    given_: set[str] = set()

    async def take() -> None:
        run = await store.new_id()
        assert run not in given_
        given_.add(run)
        await store.create(run)

    async with anyio.create_task_group() as group:
        for _ in range(100):
            group.start_soon(take)
    assert len(given_) == 100
    assert max(map(len, given_)) > len("r-abab")


async def test_a_candidate_is_known_by_its_words_alone_in_the_tables(store: SqlStore) -> None:
    await store.create("r-1")
    await store.append("r-1", [Candidate(0, 0, Phase.DRAFT, "a\0b", "\ud800", "cut\0off")])
    with store._database.read.connect() as connection:
        assert connection.scalar(select(tables.candidates.c.problem)) == "cut\ufffdoff"
