"""Staying connected: what a source tells, again and again, with a countdown in between."""

from collections.abc import Awaitable, Callable
from time import monotonic

import anyio
from textual.screen import Screen

from refiner.domain.errors import DaemonError, RefinerError, StoreError
from refiner.tui.widgets.bar import Bar

FIRST, LONGEST = 1, 15
"""Seconds until the first try, which double from try to try."""

EVERY, LATEST, REST = 1.0, 5.0, 9
"""Seconds between two looks, at least and at most; within these, so many times as long as a look."""

Work = Callable[[Callable[[], None]], Awaitable[None]]


async def kept(work: Work, say: Callable[[int | None, str], None]) -> None:
    """Do the work over and over, for ever; where it is lost, say how many seconds are left until the next try, and why.

    The work calls what it is given whenever it has heard something; None is said then.
    """
    wait = FIRST

    def heard() -> None:
        nonlocal wait
        wait = FIRST
        say(None, "")

    while True:
        try:
            await work(heard)
        except (DaemonError, StoreError) as error:
            for left in range(wait, 0, -1):
                say(left, str(error))
                await anyio.sleep(1)
            wait = min(LONGEST, wait * 2)


async def looking(screen: Screen[None], look: Callable[[], Awaitable[None]]) -> None:
    """Look again and again while a screen is seen, and tell it what is in the way."""

    async def work(heard: Callable[[], None]) -> None:
        while True:
            began = monotonic()
            if screen.is_current:
                await look()
                heard()
            await anyio.sleep(min(LATEST, max(EVERY, REST * (monotonic() - began))))

    try:
        await kept(work, screen.query_one(Bar).say)
    except RefinerError as error:
        screen.notify(str(error), severity="error", markup=False)
