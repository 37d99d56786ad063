"""Anthropic's batch API: messages whose results lie ready for 29 days."""

from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from anthropic import AsyncAnthropic
from anthropic.types.messages import MessageBatchResult

from refiner.domain.calls import Request, Usage
from refiner.domain.errors import NotFoundError, ProviderError
from refiner.providers.batch import Outcome, State, cancelled, expired, offered
from refiner.providers.failures import Endpoint, in_band_error, translated


class AnthropicBatches:
    """body: a request as the protocol has it. read: what a message comes to, after so many seconds."""

    def __init__(
        self,
        client: AsyncAnthropic,
        endpoint: Endpoint,
        body: Callable[[Request], Any],
        read: Callable[[Request, object, float], Outcome],
        price: Callable[[Usage], float | None],
    ) -> None:
        self._batches, self._endpoint, self._body, self._read = client.messages.batches, endpoint, body, read
        self.price = price

    async def check(self) -> None:
        with offered(self._endpoint):
            await self._batches.list(limit=1)

    async def send(self, requests: Mapping[str, Request]) -> str:
        with offered(self._endpoint):
            batch = await self._batches.create(
                requests=[{"custom_id": name, "params": self._body(request)} for name, request in requests.items()]
            )
        return batch.id

    async def state(self, batch: str) -> State:
        with translated(self._endpoint):
            got = await self._batches.retrieve(batch)
        counts, ended = got.request_counts, got.processing_status == "ended"
        done = counts.succeeded + counts.errored + counts.canceled + counts.expired
        seconds = ((got.ended_at or datetime.now(UTC)) - got.created_at).total_seconds()
        why = f"{self._endpoint.name}: batch {batch} was cancelled" if ended and counts.canceled else ""
        return State(done, done + counts.processing, ended, seconds, why)

    async def outcomes(self, batch: str, requests: Mapping[str, Request]) -> AsyncIterator[tuple[str, Outcome]]:
        state = await self.state(batch)
        with translated(self._endpoint):
            if not (await self._batches.retrieve(batch)).results_url:
                raise NotFoundError(f"{self._endpoint.name}: the results of batch {batch} are gone")
            async for line in await self._batches.results(batch):
                if request := requests.get(line.custom_id):
                    yield line.custom_id, self._outcome(request, line.result, state.seconds)

    def _outcome(self, request: Request, result: MessageBatchResult, seconds: float) -> Outcome:
        match result.type:
            case "succeeded":
                return self._read(request, result.message, seconds)
            case "expired":
                return expired(self._endpoint.name)
            case "canceled":
                return cancelled(self._endpoint.name)
        error = in_band_error(self._endpoint, result.error.to_dict())
        if isinstance(error, ProviderError):
            error.billed = False  # requests that errored are not charged
        return error
