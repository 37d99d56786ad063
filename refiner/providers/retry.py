"""The one retry layer: what failed for a reason that may pass is tried again, later and later."""

from collections.abc import Awaitable, Callable

import anyio
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception
from tenacity.wait import wait_base, wait_random, wait_random_exponential

from refiner.domain.errors import ProviderError

LONGEST_WAIT = 30.0
"""Seconds that are waited at the most where the provider does not say how long."""


class _Wait(wait_base):
    """What the provider asks for and up to a second more, else exponential with full jitter."""

    _guess = wait_random_exponential(multiplier=1, max=LONGEST_WAIT)
    _spread = wait_random(0, 1)

    def __call__(self, retry_state: RetryCallState) -> float:
        asked = _error(retry_state).retry_after
        return self._guess(retry_state) if not asked else asked + self._spread(retry_state)


def retrying(
    *,
    attempts: int = 8,
    most_seconds: float = 120.0,
    wait: Callable[[RetryCallState], float] | None = None,
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
) -> AsyncRetrying:
    """Attempts at one call: `async for attempt in retrying(): with attempt: ...`.

    Only a ProviderError that is retryable is tried again, and the last one is raised as it is. It ends after so many
    attempts, or when more than most_seconds would be spent waiting; a provider that is overloaded ends it by its
    waits alone, so that a minute of refusals is outlived.
    """

    def stop(state: RetryCallState) -> bool:
        spent = state.attempt_number >= attempts and not _error(state).overloaded
        return spent or state.idle_for + state.upcoming_sleep > most_seconds

    return AsyncRetrying(
        retry=retry_if_exception(lambda error: isinstance(error, ProviderError) and error.retryable),
        wait=wait or _Wait(),
        stop=stop,
        sleep=sleep,
        reraise=True,
    )


def _error(state: RetryCallState) -> ProviderError:
    error = state.outcome.exception() if state.outcome else None
    if not isinstance(error, ProviderError):
        raise TypeError(error)
    return error
