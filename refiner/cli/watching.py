"""Following a run that another process drives, by what it commits."""

from collections.abc import Callable

import anyio

from refiner.domain.events import Recorded
from refiner.domain.state import RunState, apply
from refiner.store.sql import SqlStore

WAIT_TIMEOUT = 124
"""The exit code of a watcher whose time is over while the run goes on."""

POLL = 0.25
"""Seconds between two looks."""


async def follow(
    store: SqlStore, run: str, tell: Callable[[Recorded], None], timeout: float | None = None
) -> RunState | None:
    """Tell each event of a run, those of the past first, until nobody drives it any more, nor will from the queue.

    Returns its state then, and None where the timeout (seconds) is over before.
    """
    state, after = RunState(), 0
    with anyio.move_on_after(timeout):
        while True:
            live = await store.due(run)  # asked first, lest its last events are missed
            for recorded in await store.events(run, after):
                state, after = apply(state, recorded), recorded.id
                tell(recorded)
            if not live:
                return state
            await anyio.sleep(POLL)
    return None
