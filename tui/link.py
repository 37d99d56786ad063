"""Staying connected: what a source tells, again and again, with a countdown in between."""

from collections.abc import Awaitable, Callable

import anyio

from refiner.domain.errors import DaemonError, StoreError

FIRST, LONGEST = 1, 15
"""Seconds until the first try, which double from try to try."""

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
