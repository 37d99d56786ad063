"""Both providers, pointed at a scripted server."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Literal

from refiner.domain.calls import Message, Provider, Reply, Request
from refiner.providers.anthropic import AnthropicProvider
from refiner.providers.openai import OpenAIProvider
from tests.scripted import Scripted

Api = Literal["openai", "anthropic"]
APIS: tuple[Api, ...] = ("openai", "anthropic")
KEY = "sk-proj-0123456789abcdef"


def request(*parts: str, most: int = 100, **sampling: Any) -> Request:
    return Request((Message("user", parts or ("Why is the sky blue?",)),), most, **sampling)


def unread(_: str) -> None:
    """A callback for deltas that nobody reads."""


@asynccontextmanager
async def provider(api: Api, server: Scripted, *, timeout: float = 10.0, **options: Any) -> AsyncIterator[Provider]:
    made: Provider = (
        OpenAIProvider("m", name="openai:m", api_key=KEY, base_url=server.openai, timeout=timeout, **options)
        if api == "openai"
        else AnthropicProvider("m", name="anthropic:m", api_key=KEY, base_url=server.anthropic, timeout=timeout)
    )
    try:
        yield made
    finally:
        await made.aclose()


async def ask(
    api: Api,
    server: Scripted,
    asked: Request | None = None,
    on_delta: Callable[[str], None] | None = None,
    *,
    streams: bool = False,
    **options: Any,
) -> Reply:
    """One call; `streams` asks for deltas that nobody reads."""
    async with provider(api, server, **options) as made:
        return await made.complete(asked or request(), on_delta or (unread if streams else None))
