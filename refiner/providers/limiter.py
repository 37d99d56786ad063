"""How many calls a provider takes at a time, found out by asking."""

from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from aiolimiter import AsyncLimiter

from refiner.domain.errors import ProviderError
from refiner.domain.service import Reached


class AdaptiveLimiter:
    """Lets `start` calls in at first and never more than `most`, in the order in which they came.

    Each success lets one more in, so that the number doubles with every round of calls; a provider that says it is
    overloaded halves it, once for all the calls that were out by then, and from there on it grows by one a round
    (TCP's slow start and congestion avoidance, RFC 5681). per_minute also bounds how many calls start in a minute.
    """

    def __init__(self, most: int, start: int = 4, per_minute: int | None = None) -> None:
        self._most = max(1, most)
        self._limit = float(min(max(1, start), self._most))
        self._cautious = float("inf")
        self._cuts = 0
        self._inside = 0
        self._refused = 0
        self._waiting: OrderedDict[anyio.Event, None] = OrderedDict()
        self._rate = AsyncLimiter(per_minute, 60) if per_minute else None

    def bound(self, most: int, per_minute: int | None = None) -> None:
        """Keep to other bounds from now on; calls that are inside stay."""
        # Whoever was held back by the old bound alone goes up to the new one at once.
        held, self._most = self._limit == self._most, max(1, most)
        self._limit = float(self._most) if held else min(self._limit, float(self._most))
        self._admit()
        if per_minute != (self._rate and self._rate.max_rate):
            self._rate = AsyncLimiter(per_minute, 60) if per_minute else None

    @property
    def limit(self) -> int:
        """How many calls may be inside now."""
        return int(self._limit)

    def state(self, model: str) -> Reached:
        """What is at the model now."""
        return Reached(model, self._inside, len(self._waiting), self.limit, self._most, self._refused)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """A place among the calls; ProviderError raised inside tells how the call went."""
        await self._enter()
        cuts = self._cuts
        try:
            if self._rate:
                await self._rate.acquire()
            yield
        except ProviderError as error:
            self._refused += error.overloaded
            if error.overloaded and cuts == self._cuts:
                self._cut()
            raise
        else:
            if cuts == self._cuts:
                self._grow()
        finally:
            self._leave()

    async def _enter(self) -> None:
        if self._inside < self.limit and not self._waiting:
            self._inside += 1
            return
        turn = anyio.Event()
        self._waiting[turn] = None
        try:
            await turn.wait()
        except BaseException:
            if turn.is_set():
                self._leave()
            else:
                del self._waiting[turn]
            raise

    def _leave(self) -> None:
        self._inside -= 1
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self._inside < self.limit:
            turn, _ = self._waiting.popitem(last=False)
            self._inside += 1
            turn.set()

    def _grow(self) -> None:
        step = 1.0 if self._limit < self._cautious else 1.0 / self._limit
        self._limit = min(float(self._most), self._limit + step)

    def _cut(self) -> None:
        self._limit = self._cautious = max(1.0, self._limit / 2)
        self._cuts += 1
