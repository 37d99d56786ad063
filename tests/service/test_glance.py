"""The service at a glance."""

import logging
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from refiner.config.sources import load
from refiner.domain.errors import ProviderError
from refiner.domain.wire import service_of
from refiner.providers.limiter import AdaptiveLimiter
from refiner.service import logs
from tests.service.live import Live


def test_who_waits_and_what_recurs(live: Live) -> None:
    for submitter, priority in (("ann", 0), ("bob", 5), ("ann", 5)):
        body = {"input": f"{submitter}?", "submitter": submitter, "priority": priority}
        assert live.http.post("/v1/runs", json=body).status_code == 201
    state = service_of(live.http.get("/v1/service").json())
    ours = [(each.title, each.submitter, each.priority) for each in state.queue if each.submitter]
    assert ours[:3] == [("bob?", "bob", 5), ("ann?", "ann", 5), ("ann?", "ann", 0)]
    assert (state.queued, state.live, state.most) == (len(state.queue), 0, 1)
    sweep = next(each for each in state.schedules if each.name == "upkeep.sweep")
    assert (sweep.cron, sweep.last, sweep.next.minute % 5) == ("*/5 * * * *", None, 0)


@pytest.mark.anyio
async def test_what_is_at_a_provider() -> None:
    limiter = AdaptiveLimiter(8)
    with suppress(ProviderError):
        async with limiter.slot():
            assert limiter.state("m").calls == 1
            raise ProviderError("too many", overloaded=True)
    state = limiter.state("m")
    assert (state.calls, state.waiting, state.limit, state.most, state.refused) == (0, 0, 2, 8, 1)


def test_the_latest_lines_of_the_log_hold_no_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REFINER_HOME", str(tmp_path))
    monkeypatch.setenv("REFINER_PROVIDERS__OPENAI__API_KEY", "an-odd-key-of-mine")
    root = logging.getLogger()
    before = root.handlers[:], root.level
    with (tmp_path / "log").open("w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        logs.configure(load().settings)
        for number in range(300):
            logs.log.info("run begun", run=f"r-{number}", why="an-odd-key-of-mine \x1b[31m")
    root.handlers[:], root.level = before
    assert len(logs.RECENT) == 200
    assert 'event="run begun" run=r-299' in logs.RECENT[-1]
    assert not any(each in line for line in logs.RECENT for each in ("key-of-mine", "\x1b"))
