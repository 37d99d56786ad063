"""A run is followed through a store that is away for a while."""

from pathlib import Path

import pytest

from refiner.cli.watching import follow
from refiner.domain.errors import StoreError
from refiner.domain.events import Recorded, RunFinished
from refiner.domain.run import Stop, StopReason
from refiner.store.sql import SqlStore
from tests.store.samples import STARTED

pytestmark = pytest.mark.anyio


async def test_a_store_that_is_away_is_waited_for_and_a_damaged_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors: list[StoreError] = []
    due = SqlStore.due

    async def failing(store: SqlStore, run: str) -> bool:
        if errors:
            raise errors.pop()
        return await due(store, run)

    monkeypatch.setattr(SqlStore, "due", failing)
    store = SqlStore.open(f"sqlite:///{tmp_path}/refiner.db", state=tmp_path)
    await store.create("r-1")
    await store.append("r-1", [STARTED, RunFinished("done", 0, Stop(StopReason.AGREED, "enough"))])
    told, lost = list[Recorded](), list[str]()
    errors += [StoreError("it cannot be reached", passing=True)] * 2
    state = await follow(store, "r-1", told.append, lost.append)
    assert state is not None
    assert (state.status, len(told), lost) == ("done", 2, ["it cannot be reached"])
    errors += [StoreError("it is damaged")]
    with pytest.raises(StoreError, match="damaged"):
        await follow(store, "r-1", told.append, lost.append)
    await store.aclose()
