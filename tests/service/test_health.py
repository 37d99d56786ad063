"""The loop's lag, and what a run needs that is not there."""

import time
from pathlib import Path

import anyio
import pytest

from refiner.config.sources import load
from refiner.domain.code import Judge
from refiner.domain.errors import SandboxError, StoreError
from refiner.service import health
from refiner.service.health import Heart, Readiness
from refiner.store.sql import SqlStore

pytestmark = pytest.mark.anyio


async def test_the_heart_feels_a_loop_that_is_blocked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "BEAT", 0.001)
    felt: list[float] = []
    heart = Heart(felt.append)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(heart.run)
        await anyio.wait_all_tasks_blocked()
        time.sleep(0.05)  # noqa: ASYNC251 - the fault itself
        assert heart.lag > 0.04  # seen at once, before the beat comes
        while not felt:
            await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    assert max(felt) > 0.04


async def test_what_is_missing_is_told_a_line_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFINER_HOME", str(tmp_path))
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    looked: list[int] = []

    async def judge() -> Judge:
        looked.append(1)
        raise SandboxError("no sandbox works here")

    loaded = load(keywords={"model": "openai:x", "critic_model": "anthropic:y"})
    store = SqlStore.open(f"sqlite:///{tmp_path}/refiner.db", state=tmp_path)
    ready = Readiness(loaded, store, judge)
    models = ["openai has no key: set OPENAI_API_KEY", "anthropic has no key: set ANTHROPIC_API_KEY"]
    assert await ready.missing() == ["no sandbox works here", *models]
    monkeypatch.setenv("OPENAI_API_KEY", "SECRET")
    await store.aclose()
    [closed, *others] = await ready.missing()
    assert "the store was closed" in closed
    assert others == ["no sandbox works here", models[1]]
    assert len(looked) == 1


async def test_a_store_that_takes_no_write(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/refiner.db"
    store, other = (SqlStore.open(url, state=tmp_path, timeout=0.01) for _ in range(2))
    await store.probe()
    with other._database.write.begin(), pytest.raises(StoreError):
        await store.probe()
    await store.probe()
    for each in (store, other):
        await each.aclose()
