"""Anthropic's messages."""

import time
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Any

import httpx2
from anthropic import APIStatusError, AsyncAnthropic, AsyncStream
from anthropic.types import Message as Said
from anthropic.types import RawMessageStreamEvent

from refiner.domain.calls import Capabilities, Count, Finish, Image, Message, Reply, Request, Usage
from refiner.domain.errors import RefinerError
from refiner.providers import prices, tokens, wire
from refiner.providers.anthropic_batch import AnthropicBatches
from refiner.providers.batch import Outcome
from refiner.providers.failures import CONNECT, Endpoint, cut_short, parsed_url, translated, unreadable
from refiner.providers.reading import Answer, reply, told, whole
from refiner.providers.refusals import left_out, refusal

ANTHROPIC = "https://api.anthropic.com"
LEAST_CACHED = 1024
"""Tokens: no model caches a shorter prefix, and a mark that is too early for a model costs nothing."""

_MOST_MARKS = 4
_NAMES = {"stream": "stream", "output_config": "reasoning_effort", "effort": "reasoning_effort"}
"""What a server may refuse, as it calls it and as we do."""
_FINISH = {
    "max_tokens": Finish.LENGTH,
    "model_context_window_exceeded": Finish.LENGTH,
    "refusal": Finish.REFUSAL,
}


class AnthropicProvider:
    """A model of Anthropic; its messages take neither a temperature nor a seed.

    name is the model as the user names it. timeout is in seconds of silence. The client, a given one too, is closed
    by aclose.
    """

    def __init__(
        self,
        model: str,
        *,
        name: str,
        api_key: str,
        base_url: str | None = None,
        http_client: httpx2.AsyncClient | None = None,
        timeout: float = 300.0,
    ) -> None:
        url = parsed_url(base_url or ANTHROPIC)
        self.name = name
        self._model = model
        silence = httpx2.Timeout(timeout, connect=min(timeout, CONNECT))
        self._client = AsyncAnthropic(
            api_key=api_key,
            base_url=url,
            http_client=http_client or wire.client(silence),
            timeout=silence,
            max_retries=0,
        )
        self._endpoint = Endpoint(name, model, url.netloc.decode(), api_key, "ANTHROPIC_API_KEY")
        self._refused = {"temperature"}

    async def capabilities(self) -> Capabilities:
        return Capabilities(
            temperature=False,
            streaming="stream" not in self._refused,
            reasoning_effort="reasoning_effort" not in self._refused,
            context_tokens=prices.context_tokens("anthropic", self._model),
        )

    async def count(self, request: Request) -> Count:
        return tokens.bound(request.messages)

    def price(self, usage: Usage) -> float | None:
        return prices.price("anthropic", self._model, usage)

    async def aclose(self) -> None:
        await self._client.close()

    async def complete(self, request: Request, on_delta: Callable[[str], None] | None = None) -> Reply:
        began = time.perf_counter()
        with translated(self._endpoint):
            answer = await self._answer(request, on_delta)
        return reply(request, answer, self._cost, began, left_out(self.name, request, self._refused))

    def batches(self) -> AnthropicBatches:
        return AnthropicBatches(
            self._client,
            self._endpoint,
            lambda request: self._parameters(request, streams=False),
            self._of_batch,
            lambda usage: prices.price("anthropic", self._model, usage, batch=True),
        )

    def _of_batch(self, request: Request, message: object, seconds: float) -> Outcome:
        try:
            answer = self._plain(message)
        except RefinerError as error:
            return error

        def cost(usage: Usage, written: int) -> float | None:
            return prices.price("anthropic", self._model, usage, written=written, batch=True)

        notes = left_out(self.name, request, self._refused)
        return reply(request, answer, cost, time.perf_counter() - seconds, notes)

    def _cost(self, usage: Usage, written: int) -> float | None:
        return prices.price("anthropic", self._model, usage, written=written)

    async def _answer(self, request: Request, on_delta: Callable[[str], None] | None) -> Answer:
        while True:
            hear = None if "stream" in self._refused else on_delta
            try:
                got: Any = await self._client.messages.create(**self._parameters(request, streams=hear is not None))
            except APIStatusError as error:
                left = [name for name, ours in _NAMES.items() if ours not in self._refused]
                if (refused := refusal(error.status_code, error.body, left)) is None:
                    raise
                self._refused.add(_NAMES[refused])
                continue
            if hear:
                return await self._streamed(got, hear)
            return told(self._plain(got), on_delta)

    def _parameters(self, request: Request, *, streams: bool) -> dict[str, Any]:
        blocks = list(_marked(request.messages))
        effort = None if "reasoning_effort" in self._refused else request.reasoning_effort
        optional = {
            "system": [block for role, own in blocks if role == "system" for block in own],
            "output_config": effort and {"effort": effort},
            "stream": streams,
        }
        return {
            "model": self._model,
            "max_tokens": request.max_output_tokens,
            "messages": [{"role": role, "content": own} for role, own in blocks if role != "system"],
        } | {name: value for name, value in optional.items() if value}

    def _plain(self, got: object) -> Answer:
        if not isinstance(got, Said) or not isinstance(got.content, list):
            raise unreadable(self._endpoint, "the reply is no message")
        text = "".join(block.text for block in got.content if block.type == "text")
        usage = got.usage.model_dump() if got.usage else {}
        return Answer(text, _FINISH.get(got.stop_reason or "", Finish.STOP), *_used(usage))

    async def _streamed(self, stream: AsyncStream[RawMessageStreamEvent], on_delta: Callable[[str], None]) -> Answer:
        texts: list[str] = []
        finish: str | None = None
        usage: dict[str, Any] = {}
        begun = False
        async with stream:
            async for event in stream:
                begun = True
                if event.type == "message_start":
                    usage = event.message.usage.model_dump() if event.message.usage else {}
                elif event.type == "content_block_delta" and event.delta.type == "text_delta":
                    texts.append(event.delta.text)
                    on_delta(whole(event.delta.text))
                elif event.type == "message_delta":
                    finish = event.delta.stop_reason or finish
                    usage |= event.usage.model_dump(exclude_none=True) if event.usage else {}
        if not begun:
            raise unreadable(self._endpoint, "the reply is no stream of events")
        if finish is None:
            raise cut_short(self._endpoint)
        return Answer("".join(texts), _FINISH.get(finish, Finish.STOP), *_used(usage))


def _marked(messages: tuple[Message, ...]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Each message's role and content blocks, with cache marks on the shared parts that are far enough into the prompt.

    Every shared part is marked, not the last alone: when the candidate has changed, the task before it is still read
    from the cache. Empty parts are left out, for the protocol refuses them.
    """
    parts = [[part for part in message.parts if str(part).strip()] for message in messages]
    ends = list(accumulate(tokens.estimate(str(part)) for own in parts for part in own))
    shared = [index < len(own) - 1 for own in parts for index in range(len(own))]
    worth = [place for place, end in enumerate(ends) if shared[place] and end >= LEAST_CACHED][-_MOST_MARKS:]
    place = 0
    for message, own in zip(messages, parts, strict=True):
        blocks = []
        for index, part in enumerate(own):
            last = index == len(own) - 1
            blocks.append(
                _block(part, last=last) | ({"cache_control": {"type": "ephemeral"}} if place in worth else {})
            )
            place += 1
        if blocks:
            yield message.role, blocks


def _block(part: str | Image, *, last: bool) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "text": part if last else f"{part}\n\n"}
    if part.encoded is None:
        return {"type": "image", "source": {"type": "url", "url": part.url}}
    media_type, data = part.encoded
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data}}


def _used(said: dict[str, Any]) -> tuple[Usage | None, int]:
    """What the provider says a call used, if it does, and how much of the prompt it wrote to its cache."""
    plain, read, written, output = (
        said.get(name) or 0
        for name in ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens")
    )
    given = plain + read + written
    if not given and not output:
        return None, 0
    details = said.get("output_tokens_details") or {}
    return Usage(1, given, read, output, details.get("thinking_tokens") or 0), written
