"""What only Anthropic's protocol has: a system text of its own, cache marks, and prices for writing to the cache."""

from typing import Any

import pytest

from refiner.domain.calls import Message, Request, Usage
from refiner.providers.anthropic import LEAST_CACHED, AnthropicProvider
from tests.providers.asking import KEY, ask, provider, request, unread
from tests.scripted import Scripted, wire

pytestmark = pytest.mark.anyio

LONG = "word " * LEAST_CACHED


async def blocks(scripted: Scripted, *messages: Message) -> list[dict[str, Any]]:
    await ask("anthropic", scripted, Request(messages, 10))
    body = scripted.asked[-1].body
    return [*body.get("system", ()), *(block for message in body["messages"] for block in message["content"])]


def marks(found: list[dict[str, Any]]) -> list[bool]:
    return ["cache_control" in block for block in found]


async def test_the_system_text_goes_apart(scripted: Scripted) -> None:
    await ask("anthropic", scripted, Request((Message("system", ("Be brief.",)), Message("user", ("Hi",))), 10))
    body = scripted.asked[0].body
    assert body["system"] == [{"type": "text", "text": "Be brief."}]
    assert [message["role"] for message in body["messages"]] == ["user"]


async def test_parts_are_blocks_that_read_as_the_whole_text(scripted: Scripted) -> None:
    message = Message("user", ("task", "", "candidate", "instruction"))
    found = await blocks(scripted, message)
    assert "".join(block["text"] for block in found) == "task\n\ncandidate\n\ninstruction"


async def test_what_is_shared_and_long_is_marked(scripted: Scripted) -> None:
    assert marks(await blocks(scripted, Message("user", (LONG, "candidate", "instruction")))) == [True, True, False]


async def test_what_is_short_is_not_marked(scripted: Scripted) -> None:
    assert marks(await blocks(scripted, Message("user", ("task", "candidate", "instruction")))) == [False] * 3


async def test_what_is_not_shared_is_not_marked(scripted: Scripted) -> None:
    assert marks(await blocks(scripted, Message("system", (LONG,)), Message("user", (LONG,)))) == [False, False]


async def test_never_more_marks_than_the_protocol_takes(scripted: Scripted) -> None:
    found = await blocks(scripted, Message("user", (LONG, *"abcdefg")))
    assert marks(found) == [False] * 3 + [True] * 4 + [False]


async def test_a_temperature_is_left_out_and_said_so(scripted: Scripted) -> None:
    reply = await ask("anthropic", scripted, request(temperature=0.5, seed=1))
    assert reply.notes == ("anthropic:m takes no temperature: it was left out",)
    assert {"temperature", "seed"}.isdisjoint(scripted.asked[0].body)
    async with provider("anthropic", scripted) as made:
        known = await made.capabilities()
    assert not known.temperature
    assert not known.seed


@pytest.mark.parametrize("streams", [False, True])
async def test_input_includes_what_the_cache_held_and_got(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch, streams: bool
) -> None:
    usage = {"input_tokens": 10, "cache_read_input_tokens": 200, "cache_creation_input_tokens": 3000}
    monkeypatch.setattr(wire.Written, "usage", lambda self: usage | {"output_tokens": self.output_tokens})
    model = "claude-opus-4-1"
    made = AnthropicProvider(model, name=model, api_key=KEY, base_url=scripted.anthropic)
    used = (await made.complete(request(), unread if streams else None)).usage
    assert (used.input_tokens, used.cached_input_tokens, used.output_tokens) == (3210, 200, 1)
    assert used.cost_usd == pytest.approx((10 * 15 + 200 * 1.5 + 3000 * 18.75 + 75) / 1e6)
    most = made.price(Usage(1, 3210, 0, 1))
    await made.aclose()
    assert (most or 0) >= (used.cost_usd or 0)
