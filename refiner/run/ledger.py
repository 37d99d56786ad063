"""What is reserved, spent and left of a run's budget, shared by all of its chains."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import anyio

from refiner.domain.calls import Usage
from refiner.domain.errors import UsageError
from refiner.domain.run import Limits, Stop, StopReason

LEAST_OUTPUT = 64
"""Tokens: a reply that may not even be this long is not worth its prompt."""

Price = Callable[[Usage], float | None]


class ExhaustedError(Exception):
    """The budget has no room for another call; not an error of the run, but its stop."""

    def __init__(self, stop: Stop) -> None:
        super().__init__(stop.detail)
        self.stop = stop


@dataclass(frozen=True, slots=True)
class _Room:
    """The most that a call may use: usage with the longest reply that fits, or the stop that forbids it."""

    most: Usage | None
    stop: Stop | None = None


class Ledger:
    """Reserves the most that each call can use before it starts, and settles it with what it did use.

    The sum of what is spent and what is reserved never exceeds a limit, whatever runs concurrently. above: the ledger
    of all the runs that this one is of, which has to have room as well. whole: a reply is never shortened to fit, as
    an answer that is cut for what others spent would count against whoever gave it.
    """

    def __init__(
        self,
        limits: Limits,
        spent: Usage = Usage(),  # noqa: B008 (frozen)
        *,
        above: "Ledger | None" = None,
        whole: bool = False,
    ) -> None:
        self.limits = limits
        self.spent = spent
        self._above = above
        self._whole = whole
        self.reserved = Usage()
        self._turn = anyio.Lock(fast_acquire=True)
        self._settled: anyio.Event | None = None

    @property
    def full(self) -> bool:
        """Whether a call waits for what those that are out may give back."""
        return self._settled is not None

    async def reserve(self, input_tokens: int, max_output_tokens: int, price: Price) -> Usage:
        """Set aside one call of at most so many input tokens; the reply's length is lowered to what is left.

        Waits while calls that are out may still give back what they do not use. Raises ExhaustedError when nothing
        is out and the call does not fit, and UsageError when a cost limit is set and the price is unknown.
        """
        most = await self._reserve(input_tokens, max_output_tokens, price)
        if self._above:
            try:
                await self._above.reserve(most.input_tokens, most.output_tokens, price)
            except BaseException as error:
                self._book(most, Usage())
                if isinstance(error, ExhaustedError):
                    raise ExhaustedError(Stop(StopReason.SIGNAL, f"budget: {error.stop.detail}")) from None
                raise
        return most

    async def _reserve(self, input_tokens: int, max_output_tokens: int, price: Price) -> Usage:
        asked = Usage(1, input_tokens, 0, max_output_tokens)
        async with self._turn:
            while (room := self._room(asked, price)).most is None:
                if not self.reserved.calls:
                    assert room.stop is not None  # noqa: S101
                    raise ExhaustedError(room.stop)
                settled = self._settled = anyio.Event()
                await settled.wait()
            self.reserved += room.most
            return room.most

    def rebudget(self, limits: Limits) -> None:
        """Keep to other limits from now on; calls that wait for room look again."""
        self.limits = limits
        self._wake()

    def settle(self, reserved: Usage, used: Usage) -> None:
        """Book what a call used and give the rest of its reservation back."""
        self._book(reserved, used)
        if self._above:
            self._above.settle(reserved, used)

    def _book(self, reserved: Usage, used: Usage) -> None:
        self.spent += used
        back = None if reserved.cost_usd is None else -reserved.cost_usd
        left = self.reserved + Usage(
            -reserved.calls, -reserved.input_tokens, output_tokens=-reserved.output_tokens, cost_usd=back
        )
        self.reserved = left if left.calls else Usage()
        self._wake()

    def _wake(self) -> None:
        if self._settled:
            self._settled.set()
            self._settled = None

    def _room(self, asked: Usage, price: Price) -> _Room:
        taken = self.spent + self.reserved
        least = asked.output_tokens if self._whole else min(LEAST_OUTPUT, asked.output_tokens)
        output = asked.output_tokens
        if (most := self.limits.calls) is not None and taken.calls + 1 > most:
            return _Room(None, Stop(StopReason.CALLS, f"{taken.calls} of at most {most} calls are used"))
        if (most := self.limits.tokens) is not None:
            output = min(output, most - taken.tokens - asked.input_tokens)
            if output < least:
                detail = (
                    f"{taken.tokens:,} of at most {most:,} tokens are used, and the next call may need "
                    f"{asked.input_tokens + least:,}"
                )
                return _Room(None, Stop(StopReason.TOKENS, detail))
        if (limit := self.limits.cost_usd) is not None:
            output, stop = self._affordable(replace(asked, output_tokens=output), least, limit, taken, price)
            if stop:
                return _Room(None, stop)
        usage = replace(asked, output_tokens=output)
        return _Room(replace(usage, cost_usd=price(usage)))

    def _affordable(
        self, asked: Usage, least: int, limit: float, taken: Usage, price: Price
    ) -> tuple[int, Stop | None]:
        whole, shortest = price(asked), price(replace(asked, output_tokens=least))
        if whole is None or shortest is None or taken.cost_usd is None:
            raise UsageError(
                "a cost limit was set, and the price of the model is unknown: limit --max-tokens or --max-calls instead"
            )
        left = limit - taken.cost_usd
        if whole <= left:
            return asked.output_tokens, None
        if shortest > left:
            detail = (
                f"${taken.cost_usd:.4f} of at most ${limit:.4f} is spent, and the next call may cost ${shortest:.4f}"
            )
            return 0, Stop(StopReason.COST, detail)
        low, high = least, asked.output_tokens
        while high - low > 1:
            middle = (low + high) // 2
            cost = price(replace(asked, output_tokens=middle))
            low, high = (middle, high) if cost is not None and cost <= left else (low, middle)
        return low, None
