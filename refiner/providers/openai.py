"""OpenAI's chat completions, and every server that speaks them."""

import json
import re
import time
from collections.abc import Awaitable, Callable, Iterable
from functools import cached_property
from typing import Any

import httpx2
from openai import APIStatusError, AsyncOpenAI, AsyncStream, OpenAIError
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletionChunk

from refiner.domain.calls import Capabilities, Count, Finish, Message, Reply, Request, Usage
from refiner.domain.errors import ProviderError, RefinerError
from refiner.providers import prices, tokens, wire
from refiner.providers.batch import Outcome
from refiner.providers.failures import (
    CONNECT,
    Endpoint,
    cut_short,
    in_band_error,
    parsed_url,
    status_error,
    translated,
    unreadable,
)
from refiner.providers.openai_batch import OpenAIBatches
from refiner.providers.reading import Answer, reply, told, whole
from refiner.providers.refusals import left_out, refusal

OPENAI = "https://api.openai.com/v1"

_REASONING = re.compile(r"^(?:o\d|gpt-5(?:-|$))(?!.*chat)")
_PREDICTING = re.compile(r"^gpt-4(?:o|\.1)(?!.*(?:audio|realtime|search|transcribe|tts))")
_UNREASONING = re.compile(r"^gpt-[34]")
_FINISH = {"length": Finish.LENGTH, "content_filter": Finish.REFUSAL}
_NEEDED = ("model", "messages")
_LIMITS = ("max_completion_tokens", "max_tokens")

Counter = Callable[[Request], Awaitable[Count]]


class OpenAIProvider:
    """A model behind OpenAI's protocol.

    name is the model as the user names it, api_key None for a server that wants none. free prices every call at 0.
    counter counts a prompt where the server's own tokenizer is at hand. timeout is in seconds of silence. key_name is
    the variable that an error about the key points to. refuses: parameters that the model is known not to take. The
    client, a given one too, is closed by aclose.
    """

    def __init__(
        self,
        model: str,
        *,
        name: str,
        api_key: str | None,
        base_url: str | None = None,
        http_client: httpx2.AsyncClient | None = None,
        timeout: float = 300.0,
        free: bool = False,
        counter: Counter | None = None,
        context_tokens: int | None = None,
        key_name: str = "OPENAI_API_KEY",
        refuses: Iterable[str] = (),
    ) -> None:
        url = parsed_url(base_url or OPENAI)
        self.name = name
        self._model = model
        silence = httpx2.Timeout(timeout, connect=min(timeout, CONNECT))
        self._http = http_client or wire.client(silence)
        self._client = AsyncOpenAI(
            api_key=api_key or "none", base_url=url, http_client=self._http, timeout=silence, max_retries=0
        )
        self._url = self._client.base_url.join("chat/completions")
        self._extensions = {"timeout": silence.as_dict()}
        self._endpoint = Endpoint(name, model, url.netloc.decode(), api_key or "", key_name)
        self._official = url.host.endswith("api.openai.com")
        self._priced = prices.seller(str(url))
        self._free = free
        self._counter = counter
        self._context_tokens = context_tokens or prices.context_tokens(self._priced, model)
        self._asked = self._official
        known = {"temperature": _REASONING, "reasoning_effort": _UNREASONING} if self._official else {}
        self._refused = {*refuses, *(name for name, models in known.items() if models.match(model))}

    async def capabilities(self) -> Capabilities:
        """What the model takes: known for OpenAI's own, otherwise seen from what was refused so far.

        A server whose model is unknown is asked once how much that model reads.
        """
        if self._context_tokens is None and not self._asked:
            self._asked = True
            self._context_tokens = await self._served_context()
        return Capabilities(
            temperature="temperature" not in self._refused,
            seed="seed" not in self._refused,
            streaming="stream" not in self._refused,
            reasoning_effort="reasoning_effort" not in self._refused,
            prediction=self._predicts,
            context_tokens=self._context_tokens,
        )

    async def count(self, request: Request) -> Count:
        if self._counter:
            return await self._counter(request)
        return tokens.bound(request.messages, self._model if self._official else None)

    def price(self, usage: Usage) -> float | None:
        return 0.0 if self._free else prices.price(self._priced, self._model, usage)

    async def aclose(self) -> None:
        await self._client.close()

    async def complete(self, request: Request, on_delta: Callable[[str], None] | None = None) -> Reply:
        began = time.perf_counter()
        with translated(self._endpoint):
            answer = await self._answer(request, on_delta)
        return reply(request, answer, self._cost, began, left_out(self.name, request, self._refused))

    def _cost(self, usage: Usage, written: int) -> float | None:
        return 0.0 if self._free else prices.price(self._priced, self._model, usage, written=written)

    def batches(self) -> OpenAIBatches:
        return OpenAIBatches(self._client, self._endpoint, self._in_batch, self._of_batch, self._batch_price)

    def _batch_price(self, usage: Usage) -> float | None:
        return 0.0 if self._free else prices.price(self._priced, self._model, usage, batch=True)

    def _in_batch(self, request: Request) -> dict[str, Any]:
        """The same request; a batch is a tier of its own."""
        parameters = self._parameters(request, streams=False)
        parameters.pop("service_tier", None)
        return parameters

    def _of_batch(self, request: Request, status: int, body: object, seconds: float) -> Outcome:
        if status >= 400:
            if refused := self._named(status, body, self._in_batch(request)):
                self._refused.add(refused)
                return ProviderError(f"{self.name} takes no {refused}: it is left out from now on", retryable=True)
            return status_error(self._endpoint, status, body, {})
        try:
            answer = self._plain(body)
        except RefinerError as error:
            return error

        def cost(usage: Usage, written: int) -> float | None:
            return 0.0 if self._free else prices.price(self._priced, self._model, usage, written=written, batch=True)

        notes = left_out(self.name, request, self._refused)
        return reply(request, answer, cost, time.perf_counter() - seconds, notes)

    async def _served_context(self) -> int | None:
        """The context in the server's list of models: servers that say it each have their own name for it."""
        try:
            listed = await self._client.models.list(timeout=CONNECT)
            own = next((model.to_dict() for model in listed.data if model.id == self._model), {})
        except (OpenAIError, ValueError, TypeError, AttributeError):
            return None
        found = (own.get(name) for name in ("max_model_len", "context_length", "context_window", "max_context_length"))
        return next((tokens for tokens in found if isinstance(tokens, int) and tokens > 0), None)

    @property
    def _predicts(self) -> bool:
        return self._official and bool(_PREDICTING.match(self._model)) and "prediction" not in self._refused

    async def _answer(self, request: Request, on_delta: Callable[[str], None] | None) -> Answer:
        while True:
            hear = None if "stream" in self._refused else on_delta
            parameters = self._parameters(request, streams=hear is not None)
            try:
                if hear:
                    return await self._streamed(await self._client.chat.completions.create(**parameters), hear)
                return told(self._plain(await self._posted(parameters)), on_delta)
            except APIStatusError as error:
                if (refused := self._named(error.status_code, error.body, parameters)) is None:
                    raise
                self._refused.add(refused)

    async def _posted(self, parameters: dict[str, Any]) -> object:
        """The reply to a request as JSON. Raises the SDK's error for a status that is one.

        The SDK's own way from a request to a reply would take as much time as all the rest of a call.
        """
        content = json.dumps(parameters, separators=(",", ":")).encode()
        request = httpx2.Request("POST", self._url, headers=self._headers, content=content, extensions=self._extensions)
        response = await self._http.send(request)
        if not response.is_error:
            return json.loads(response.content)
        try:
            body = response.json()
        except ValueError:
            body = response.text
        raise APIStatusError(f"status {response.status_code}", response=response, body=body)

    @cached_property
    def _headers(self) -> dict[str, str]:
        """Those that the SDK sends with every request."""
        own = self._client.default_headers | self._client.auth_headers
        return {name: value for name, value in own.items() if isinstance(value, str)}

    def _parameters(self, request: Request, *, streams: bool) -> dict[str, Any]:
        """The request as the protocol has it, without what this model was seen to refuse."""
        predicted = request.prediction if self._predicts else None
        optional = {
            "temperature": request.temperature,
            "seed": request.seed,
            "reasoning_effort": request.reasoning_effort,
            "prediction": predicted and {"type": "content", "content": predicted},
            "stream_options": {"include_usage": True} if streams else None,
            # A project's own default tier may cost twice what was reserved.
            "service_tier": "default" if self._official else None,
            "stream": streams or None,
        }
        return {
            "model": self._model,
            "messages": [{"role": message.role, "content": _content(message)} for message in request.messages],
            self._limit(predicted): request.max_output_tokens,
        } | {name: value for name, value in optional.items() if value is not None and name not in self._refused}

    def _limit(self, predicted: str | None) -> str:
        """The name of the bound: the newer one at OpenAI, where predicted outputs alone refuse it, else the older."""
        names = _LIMITS if self._official and not predicted else _LIMITS[::-1]
        return next((name for name in names if name not in self._refused), names[0])

    def _named(self, status: int, body: object, parameters: dict[str, Any]) -> str | None:
        """The parameter that a server refuses to take, if it is one that can be left out or has another name."""
        refused = refusal(status, body, [name for name in parameters if name not in _NEEDED])
        if refused in _LIMITS and self._refused.intersection(_LIMITS) - {refused}:
            return None
        return refused

    def _plain(self, got: object) -> Answer:
        body: dict[str, Any] = got if isinstance(got, dict) else {}
        if isinstance(body.get("error"), dict):
            raise in_band_error(self._endpoint, body["error"])
        try:
            choice = body["choices"][0]
            message = choice["message"]
            text, refusal = message.get("content"), message.get("refusal")
        except (KeyError, IndexError, TypeError, AttributeError):
            raise unreadable(self._endpoint, "the reply is no chat completion") from None
        finish = Finish.REFUSAL if refusal else _FINISH.get(choice.get("finish_reason"), Finish.STOP)
        return Answer(text if isinstance(text, str) else "", finish, *_used(body.get("usage")))

    async def _streamed(self, stream: AsyncStream[ChatCompletionChunk], on_delta: Callable[[str], None]) -> Answer:
        texts: list[str] = []
        finish: str | None = None
        refused = False
        usage: CompletionUsage | None = None
        chunks = 0
        async with stream:
            async for chunk in stream:
                chunks += 1
                usage = chunk.usage or usage
                for choice in chunk.choices or ():
                    finish = choice.finish_reason or finish
                    refused = refused or bool(choice.delta and choice.delta.refusal)
                    text = choice.delta.content if choice.delta else None
                    if isinstance(text, str) and text:
                        texts.append(text)
                        on_delta(whole(text))
        if not chunks:
            raise unreadable(self._endpoint, "the reply is no stream of events")
        if finish is None:
            raise cut_short(self._endpoint)
        ended = Finish.REFUSAL if refused else _FINISH.get(finish, Finish.STOP)
        return Answer("".join(texts), ended, *_used(usage and usage.to_dict()))


def _content(message: Message) -> str | list[dict[str, Any]]:
    """A message as the protocol has it: plain text unless there are images in it."""
    if not message.images:
        return message.text
    return [
        {"type": "text", "text": part}
        if isinstance(part, str)
        else {"type": "image_url", "image_url": {"url": part.url}}
        for part in message.parts
    ]


def _used(said: object) -> tuple[Usage | None, int]:
    """What the server says a call used, if it does, and how much of the prompt it wrote to its cache."""
    told: dict[str, Any] = said if isinstance(said, dict) else {}
    given, written, both = (told.get(f"{name}_tokens") or 0 for name in ("prompt", "completion", "total"))
    if not (given or written):
        return None, 0
    before, after = (told.get(f"{name}_tokens_details") or {} for name in ("prompt", "completion"))
    usage = Usage(
        calls=1,
        input_tokens=given,
        cached_input_tokens=min(given, before.get("cached_tokens") or 0),
        # Some servers count the reasoning in the total alone.
        output_tokens=max(written, both - given),
        reasoning_tokens=after.get("reasoning_tokens") or 0,
    )
    return usage, before.get("cache_write_tokens") or 0
