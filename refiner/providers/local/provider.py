"""The embedded model as a provider: a share in its server, asked by OpenAI's protocol over a Unix socket."""

import importlib.util
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import anyio.from_thread
import anyio.to_thread
import httpx2

from refiner.domain.calls import Capabilities, Count, Reply, Request, Usage
from refiner.domain.errors import ProviderError, UsageError
from refiner.providers.failures import Endpoint, translated
from refiner.providers.local.settings import LocalSettings
from refiner.providers.local.sharing import Lease
from refiner.providers.local.weights import Progress, locate
from refiner.providers.openai import OpenAIProvider

_HOST = "http://local"
_STRONG = 3_000_000_000
"""Parameters from which a model may compare candidates."""
_SILENCE = 600.0
"""Seconds: a call waits for others, and a long prompt takes minutes on few cores."""

T = TypeVar("T")


async def local_provider(
    spec: str,
    *,
    models: Path,
    runtime: Path,
    settings: LocalSettings | None = None,
    progress: Progress | None = None,
) -> "LocalProvider":
    """The provider of "local" (the strongest model installed), "local:NAME" or "local:/path/x.gguf".

    models is the folder of the weights, joined there when first used; progress, called in a thread, is told how far
    that is. runtime is the folder where running servers are found. Raises NotFoundError and UsageError for a model
    that is not there or cannot be loaded, StoreError where it finds no room.
    """
    if importlib.util.find_spec("xllamacpp") is None:
        raise UsageError("local models need the extra local: pip install 'refiner[local]'")

    def told(done: int, total: int) -> None:
        anyio.from_thread.check_cancelled()
        if progress:
            progress(done, total)

    model = await anyio.to_thread.run_sync(locate, spec.partition(":")[2], models, told)
    lease = Lease(model.path, runtime, settings or LocalSettings())
    await lease.take()
    client = httpx2.AsyncClient(
        transport=httpx2.AsyncHTTPTransport(uds=str(lease.socket)), base_url=_HOST, timeout=_SILENCE, trust_env=False
    )
    provider = LocalProvider(f"local:{model.name}", lease, client)
    try:
        await provider.capabilities()
    except BaseException:
        await provider.aclose()
        raise
    return provider


class LocalProvider:
    """A model on this machine. It costs nothing and counts tokens exactly; a server that died is started again."""

    def __init__(self, name: str, lease: Lease, client: httpx2.AsyncClient) -> None:
        """Takes over the lease and the client, which asks the lease's server."""
        self.name = name
        self._lease = lease
        self._client = client
        self._model = OpenAIProvider(
            name,
            name=name,
            api_key=None,
            base_url=f"{_HOST}/v1",
            http_client=client,
            timeout=_SILENCE,
            free=True,
            refuses=("reasoning_effort",),
        )
        self._capabilities: Capabilities | None = None

    @property
    def socket(self) -> Path:
        """Where the server listens, for HTTP by OpenAI's and by Anthropic's protocol."""
        return self._lease.socket

    async def capabilities(self) -> Capabilities:
        if self._capabilities is None:
            meta = (await self._ask("GET", "/v1/models"))["data"][0]["meta"]
            props = await self._ask("GET", "/props")
            self._capabilities = replace(
                await self._model.capabilities(),
                seed=True,
                context_tokens=props["default_generation_settings"]["n_ctx"],
                strong=meta["n_params"] >= _STRONG,
            )
        return self._capabilities

    async def complete(self, request: Request, on_delta: Callable[[str], None] | None = None) -> Reply:
        if any(message.images for message in request.messages):
            raise UsageError(f"{self.name} sees no images: choose a model that does, such as openai:gpt-4o")
        heard = False

        def hear(delta: str) -> None:
            nonlocal heard
            heard = True
            if on_delta:
                on_delta(delta)

        return await self._surviving(
            partial(self._model.complete, request, hear if on_delta else None), again=lambda: not heard
        )

    async def count(self, request: Request) -> Count:
        """Tokens of the prompt as the model's own template and tokenizer make them: exact."""
        messages = [{"role": message.role, "content": message.text} for message in request.messages]
        prompt = (await self._ask("POST", "/apply-template", messages=messages))["prompt"]
        tokens = (await self._ask("POST", "/tokenize", content=prompt, add_special=True, parse_special=True))["tokens"]
        return Count(len(tokens), exact=True)

    def price(self, usage: Usage) -> float | None:
        return self._model.price(usage)

    async def aclose(self) -> None:
        """Close the connections and give the lease back: the server ends some time after its last user."""
        await self._model.aclose()
        self._lease.release()

    async def _ask(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        async def asked() -> dict[str, Any]:
            with translated(Endpoint(self.name, self.name, "its server", "", "")):
                response = await self._client.request(method, path, json=body or None)
                answer: dict[str, Any] = response.raise_for_status().json()
                return answer

        return await self._surviving(asked, harmless=True)

    async def _surviving(
        self, call: Callable[[], Awaitable[T]], again: Callable[[], bool] = lambda: True, *, harmless: bool = False
    ) -> T:
        """What the call returns; where the server died, start it and, unless the call had effects, call once more.

        harmless: the call is made once more in any case, for a kept connection may close just when it is used again.
        """
        try:
            return await call()
        except ProviderError as error:
            if not error.retryable or (self._lease.alive and not harmless):
                raise
            if not self._lease.alive:
                await self._lease.serve()
            if not again():
                raise
        return await call()
