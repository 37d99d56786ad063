"""Calls that are answered in batches, over hours and at another price: what a provider's batch API does."""

import hashlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import anyio

from refiner.domain.calls import Capabilities, Count, Provider, Reply, Request, Usage
from refiner.domain.errors import NotFoundError, ProviderError, RefinerError, UsageError
from refiner.providers.failures import Endpoint, translated

MOST = 20_000
MOST_CHARS = 30_000_000
"""Of a batch, in requests and in text: OpenAI takes 50,000 and 200 MB, Anthropic 100,000 and 256 MB, and JSON may write
a character as six bytes."""

Outcome = Reply | RefinerError


@dataclass(frozen=True, slots=True)
class State:
    """How far a batch is. done: requests that are through, of all. seconds: since it was made, until its end. why: what
    ended it as a whole, "" otherwise."""

    done: int
    of: int
    ended: bool
    seconds: float
    why: str = ""


class Batches(Protocol):
    """A model's batch API. All raise ProviderError; an error of one request is its outcome."""

    async def check(self) -> None:
        """Raises UsageError where the server has no batch API."""
        ...

    async def send(self, requests: Mapping[str, Request]) -> str:
        """The id of a new batch of requests, each under an id of its own."""
        ...

    async def state(self, batch: str) -> State: ...

    def outcomes(self, batch: str, requests: Mapping[str, Request]) -> AsyncIterator[tuple[str, Outcome]]:
        """What an ended batch has for these of its requests, in any order."""
        ...

    def price(self, usage: Usage) -> float | None:
        """US dollars for a usage in a batch; None where the price is unknown."""
        ...


@runtime_checkable
class HasBatches(Protocol):
    """A provider that has a batch API beside its other one."""

    def batches(self) -> Batches: ...


@dataclass(slots=True)
class Waiting:
    """A call that waits for its outcome."""

    request: Request
    done: anyio.Event = field(default_factory=anyio.Event)
    outcome: Outcome | None = None


class Batched:
    """A provider whose calls wait until somebody sends them as a batch and hands out what came of it.

    Raises UsageError for a provider without a batch API.
    """

    def __init__(self, provider: Provider) -> None:
        if not isinstance(provider, HasBatches):
            raise UsageError(f"{provider.name} has no batch API: leave --batch out")
        self.name, self.batches = provider.name, provider.batches()
        self._provider = provider
        self._waiting: dict[str, Waiting] = {}
        self._sent = set[str]()

    async def capabilities(self) -> Capabilities:
        return await self._provider.capabilities()

    async def count(self, request: Request) -> Count:
        return await self._provider.count(request)

    def price(self, usage: Usage) -> float | None:
        return self.batches.price(usage)

    async def aclose(self) -> None:
        await self._provider.aclose()

    async def complete(self, request: Request, on_delta: Callable[[str], None] | None = None) -> Reply:
        name, call = custom_id(request.step), Waiting(request)
        self._waiting[name] = call
        try:
            await call.done.wait()
        finally:
            del self._waiting[name]
        if isinstance(call.outcome, Reply):
            return call.outcome
        raise call.outcome or ProviderError(f"{self.name}: a call of a batch got lost")

    @property
    def unsent(self) -> dict[str, Request]:
        """The calls that wait to be sent."""
        return {name: call.request for name, call in self._waiting.items() if name not in self._sent}

    @property
    def waiting(self) -> list[str]:
        """The runs of the calls that have no outcome yet, one for each."""
        return [call.request.step.partition("/")[0] for call in self._waiting.values() if not call.done.is_set()]

    def take(self) -> dict[str, Request]:
        """As many of the unsent calls as a batch holds; they count as sent."""
        taken: dict[str, Request] = {}
        size = 0
        for name, request in self.unsent.items():
            size += len(repr(request.messages))
            if taken and (len(taken) == MOST or size > MOST_CHARS):
                break
            taken[name] = request
        self._sent |= taken.keys()
        return taken

    def holds(self, step: str) -> bool:
        """Whether the call of a step is in a batch, or may be."""
        return custom_id(step) in self._sent

    def give(self, name: str, outcome: Outcome) -> None:
        """Hand a call its outcome, if it still waits; an error may be that of many."""
        if call := self._waiting.get(name):
            call.outcome = outcome if isinstance(outcome, Reply) else copy(outcome)
            call.done.set()


async def batched(provider: Provider) -> Batched:
    """The provider with its batch API, asked whether it is there. Raises UsageError."""
    made = Batched(provider)
    await made.batches.check()
    return made


def custom_id(step: str) -> str:
    """What a step is called in a batch: both APIs take 64 letters, digits, "-" and "_" at the most."""
    return hashlib.blake2b(step.encode(), digest_size=24).hexdigest()


def expired(model: str) -> ProviderError:
    return ProviderError(f"{model}: the batch's 24 hours were over before this request; try again", retryable=True)


def cancelled(model: str) -> ProviderError:
    return ProviderError(f"{model}: the batch was cancelled before this request")


@contextmanager
def offered(endpoint: Endpoint) -> Iterator[None]:
    """As `translated`, where a server that does not know the page has no batch API."""
    try:
        with translated(endpoint):
            yield
    except NotFoundError:
        raise UsageError(f"{endpoint.name}: {endpoint.host} has no batch API (404): leave --batch out") from None
