"""A clock that stands still, and pictures."""

from datetime import datetime, timedelta

import pytest
from syrupy.assertion import SnapshotAssertion

from refiner.tui import figures
from refiner.tui.screens import run
from tests.tui.snapshots import Pictures
from tests.tui.told import BEGAN


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a minute after every run began, and no throbber turns."""

    def now() -> datetime:
        return BEGAN + timedelta(seconds=60)

    monkeypatch.setattr(figures, "now", now)
    monkeypatch.setattr(run, "TICK", 3600.0)
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.fixture
def pictures(snapshot: SnapshotAssertion) -> Pictures:
    return Pictures(snapshot)
