"""The embedded model as a provider: exact counts, both protocols, long prompts, and a server that dies."""

import os
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import anyio
import httpx2
import pytest

from refiner.domain.calls import Message, Request
from refiner.domain.errors import ContextLengthError, NotFoundError, ProviderError, UsageError
from refiner.providers.anthropic import AnthropicProvider
from refiner.providers.local.provider import LocalProvider, local_provider
from refiner.providers.local.weights import Model
from tests.local.processes import SMALL, Watched, server_of

pytestmark = pytest.mark.anyio
SHARED = replace(SMALL, keep_alive=300)


def asked(*texts: str, tokens: int = 4) -> Request:
    """A dialogue that the user begins."""
    messages = (Message("assistant" if turn % 2 else "user", (text,)) for turn, text in enumerate(texts))
    return Request(tuple(messages), tokens, temperature=0.0, seed=1)


@pytest.fixture
async def provider(model: Model, servers: Path) -> AsyncIterator[LocalProvider]:
    provider = await local_provider(f"local:{model.path}", models=model.path.parent, runtime=servers, settings=SHARED)
    yield provider
    await provider.aclose()


@pytest.fixture
async def mortal(model: Model, tmp_path: Path) -> AsyncIterator[LocalProvider]:
    """A provider whose server is no other test's."""
    provider = await local_provider(f"local:{model.path}", models=model.path.parent, runtime=tmp_path, settings=SMALL)
    yield provider
    await provider.aclose()


PROMPTS = [
    asked("Say hello."),
    asked(""),
    asked("naïve 日本語 🙂\t\n\n  def f(x):\n    return {'a': [x]}  "),
    asked("<|im_end|>\n<|im_start|>system\n{{ braces }} {% tags %} </s> [INST]"),
    asked("first", "second", "third"),
    Request((Message("system", ("Be brief.",)), Message("user", ("task", "candidate", "instruction"))), 4),
    Request((Message("system", ("",)), Message("user", ("x" * 1000,))), 4),
]


@pytest.mark.parametrize("request_", PROMPTS)
async def test_the_count_is_what_the_call_then_uses(provider: LocalProvider, request_: Request) -> None:
    count = await provider.count(request_)
    reply = await provider.complete(request_)
    assert count.exact
    assert reply.usage.input_tokens == count.tokens
    assert 1 <= reply.usage.output_tokens <= 4
    assert not reply.usage.estimated


@pytest.mark.parametrize("request_", [PROMPTS[0], PROMPTS[2], PROMPTS[4], PROMPTS[5]])
async def test_the_same_server_speaks_anthropics_protocol(provider: LocalProvider, request_: Request) -> None:
    client = httpx2.AsyncClient(transport=httpx2.AsyncHTTPTransport(uds=str(provider.socket)), trust_env=False)
    other = AnthropicProvider("any", name="any", api_key="none", base_url="http://local", http_client=client)
    try:
        reply = await other.complete(replace(request_, temperature=None, seed=None))
    finally:
        await other.aclose()
    assert reply.usage.input_tokens == (await provider.count(request_)).tokens


async def test_what_is_known_of_it(provider: LocalProvider, model: Model) -> None:
    capabilities = await provider.capabilities()
    assert capabilities.context_tokens == SHARED.context
    assert capabilities.temperature
    assert capabilities.seed
    assert not capabilities.strong
    assert provider.name == f"local:{model.path}"
    reply = await provider.complete(asked("Say hello."))
    assert reply.usage.cost_usd == 0 == provider.price(reply.usage)


async def test_a_stream_brings_the_text_in_pieces(provider: LocalProvider) -> None:
    deltas: list[str] = []
    reply = await provider.complete(asked("Count from one to ten in words.", tokens=12), deltas.append)
    assert "".join(deltas) == reply.text
    assert len(deltas) > 3
    assert reply.usage.input_tokens == (await provider.count(asked("Count from one to ten in words."))).tokens


async def test_a_seed_repeats_a_draw_and_another_does_not(provider: LocalProvider) -> None:
    drawn = replace(asked("Invent a long strange word.", tokens=16), temperature=1.5)
    # The first call reads the prompt, the others find it read: that alone may turn a near tie.
    _, first, again, other = [(await provider.complete(replace(drawn, seed=seed))).text for seed in (7, 7, 7, 8)]
    assert first == again != other


async def test_more_calls_than_it_answers_side_by_side_all_come_back(provider: LocalProvider) -> None:
    replies: dict[int, int] = {}

    async def call(number: int) -> None:
        reply = await provider.complete(asked(f"Number {number}."))
        replies[number] = reply.usage.input_tokens

    async with anyio.create_task_group() as tasks:
        for number in range(5):
            tasks.start_soon(call, number)
    assert sorted(replies) == list(range(5))


async def test_a_prompt_beyond_the_context_says_both_lengths(provider: LocalProvider) -> None:
    long = asked("word " * (SHARED.context + 100))
    with pytest.raises(ContextLengthError) as caught:
        await provider.complete(long)
    assert caught.value.limit == SHARED.context
    assert caught.value.length == (await provider.count(long)).tokens


async def test_every_call_may_fill_the_whole_context(provider: LocalProvider) -> None:
    nearly = asked("word " * (SHARED.context - 100))
    tokens: list[int] = []

    async def call(letter: str) -> None:
        reply = await provider.complete(asked(letter + nearly.messages[0].text))
        tokens.append(reply.usage.input_tokens)

    async with anyio.create_task_group() as tasks:
        for letter in "ab":
            tasks.start_soon(call, letter)
    assert min(tokens) > SHARED.context - 100


async def test_calls_go_on_when_the_server_was_killed(mortal: LocalProvider) -> None:
    for use in (mortal.complete, mortal.count):
        server = Watched(server_of(mortal.socket))
        os.kill(server.pid, signal.SIGKILL)
        await server.ended()
        assert await use(asked("Say hello."))
        assert server_of(mortal.socket) != server.pid


async def test_a_stream_that_dies_is_an_error_to_retry_and_the_next_call_works(mortal: LocalProvider) -> None:
    server = Watched(server_of(mortal.socket))
    with pytest.raises(ProviderError) as caught:
        await mortal.complete(asked("Tell a long story.", tokens=400), lambda _: os.kill(server.pid, signal.SIGKILL))
    assert caught.value.retryable
    await server.ended()
    assert (await mortal.complete(asked("Say hello."))).text


async def test_what_is_repeated_is_guessed_ahead(provider: LocalProvider) -> None:
    lines = "\n".join(f"def area_{name}(width, height): return width * height" for name in ("hall", "room", "yard"))
    prompt = f"Repeat this text exactly, without a word of your own:\n\n{lines}\n\nNow repeat it:\n\n"
    async with httpx2.AsyncClient(
        transport=httpx2.AsyncHTTPTransport(uds=str(provider.socket)), base_url="http://local", timeout=60
    ) as client:
        body = {"prompt": prompt + lines[:60], "n_predict": 40, "temperature": 0}
        timings = (await client.post("/completion", json=body)).json()["timings"]
    assert timings["draft_n_accepted"] > 10


async def test_names_and_paths_are_resolved(model: Model, servers: Path, tmp_path: Path) -> None:
    provider = await local_provider(f"local:{model.name}", models=model.path.parent, runtime=servers, settings=SHARED)
    await provider.aclose()
    assert provider.name == f"local:{model.name}"
    with pytest.raises(NotFoundError, match="no model or file"):
        await local_provider("local:nothing", models=tmp_path, runtime=servers)
    (tmp_path / "no.gguf").write_text("nothing")
    with pytest.raises(UsageError, match="is no GGUF"):
        await local_provider(f"local:{tmp_path}/no.gguf", models=tmp_path, runtime=servers)
