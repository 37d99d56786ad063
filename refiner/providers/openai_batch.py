"""OpenAI's batch API: a file of requests goes in, files of replies and of errors come out."""

import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Literal

from openai import AsyncOpenAI

from refiner.domain.calls import Request, Usage
from refiner.domain.errors import ProviderError
from refiner.providers.batch import Outcome, State, cancelled, expired, offered
from refiner.providers.failures import Endpoint, one_line, translated

_URL: Literal["/v1/chat/completions"] = "/v1/chat/completions"


class OpenAIBatches:
    """body: a request as the protocol has it. read: what a status and a body come to, after so many seconds."""

    def __init__(
        self,
        client: AsyncOpenAI,
        endpoint: Endpoint,
        body: Callable[[Request], dict[str, Any]],
        read: Callable[[Request, int, object, float], Outcome],
        price: Callable[[Usage], float | None],
    ) -> None:
        self._client, self._endpoint, self._body, self._read = client, endpoint, body, read
        self.price = price

    async def check(self) -> None:
        with offered(self._endpoint):
            await self._client.batches.list(limit=1)

    async def send(self, requests: Mapping[str, Request]) -> str:
        lines = (
            json.dumps({"custom_id": name, "method": "POST", "url": _URL, "body": self._body(request)})
            for name, request in requests.items()
        )
        with offered(self._endpoint):
            file = await self._client.files.create(file=("calls.jsonl", "\n".join(lines).encode()), purpose="batch")
            batch = await self._client.batches.create(completion_window="24h", endpoint=_URL, input_file_id=file.id)
        return batch.id

    async def state(self, batch: str) -> State:
        with translated(self._endpoint):
            got = await self._client.batches.retrieve(batch)
        ends = {
            "completed": got.completed_at,
            "failed": got.failed_at,
            "expired": got.expired_at,
            "cancelled": got.cancelled_at,
        }
        counts, status = got.request_counts, str(got.status)
        why = {"failed": "failed", "cancelled": "was cancelled"}.get(status, "")
        if why:
            said = "; ".join(error.message or "" for error in (got.errors and got.errors.data) or ())
            why = f"{self._endpoint.name}: batch {batch} {why}{said and ': '}{one_line(said, self._endpoint.key)}"
        done, of = (counts.completed + counts.failed, counts.total) if counts else (0, 0)
        return State(done, of, status in ends, (ends.get(status) or time.time()) - got.created_at, why)

    async def outcomes(self, batch: str, requests: Mapping[str, Request]) -> AsyncIterator[tuple[str, Outcome]]:
        state = await self.state(batch)
        with translated(self._endpoint):
            got = await self._client.batches.retrieve(batch)
            for file in filter(None, (got.output_file_id, got.error_file_id)):
                content = await self._client.files.content(file)
                for line in content.content.split(b"\n"):
                    told: dict[str, Any] = json.loads(line) if line.strip() else {}
                    if request := requests.get(told.get("custom_id", "")):
                        yield told["custom_id"], self._outcome(request, told, state.seconds)

    def _outcome(self, request: Request, told: dict[str, Any], seconds: float) -> Outcome:
        if response := told.get("response"):
            return self._read(request, int(response.get("status_code") or 200), response.get("body"), seconds)
        error, name = told.get("error") or {}, self._endpoint.name
        match error.get("code"):
            case "batch_expired":
                return expired(name)
            case "batch_cancelled":
                return cancelled(name)
        said = one_line(str(error.get("message") or error), self._endpoint.key)
        return ProviderError(f"{name}: the provider failed in the batch: {said}", retryable=True)
