"""Following a run that another process drives, by what it commits."""

from collections.abc import Callable

import anyio

from refiner.domain.errors import StoreError
from refiner.domain.events import Recorded
from refiner.domain.state import RunState, apply
from refiner.store.sql import SqlStore

WAIT_TIMEOUT = 124
"""The exit code of a watcher whose time is over while the run goes on."""

POLL = 0.25
"""Seconds between two looks."""


async def follow(
    store: SqlStore,
    run: str,
    tell: Callable[[Recorded], None],
    lost: Callable[[str], None],
    timeout: float | None = None,
) -> RunState | None:
    """Tell each event of a run, those of the past first, until nobody drives it any more, nor will from the queue.

    lost hears, once each time, why the store cannot be read for a while. Returns the run's state at the end, and None
    where the timeout (seconds) is over before. Raises StoreError for what does not pass.
    """
    state, after, away = RunState(), 0, False
    with anyio.move_on_after(timeout):
        while True:
            try:
                live = await store.due(run)  # asked first, lest its last events are missed
                for recorded in await store.events(run, after):
                    state, after = apply(state, recorded), recorded.id
                    tell(recorded)
                if not live:
                    return state
                away = False
            except StoreError as error:
                if not error.passing:
                    raise
                if not away:
                    lost(str(error))
                away = True
            await anyio.sleep(POLL)
    return None
