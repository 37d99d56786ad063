"""What both providers make of a reply, over real HTTP."""

from typing import Any

import pytest

from refiner.domain.calls import Finish, Message, Request
from tests.providers.asking import APIS, KEY, Api, ask, provider, request, unread
from tests.scripted import Reply, Scripted

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("api", APIS)]


@pytest.mark.parametrize("streams", [False, True])
async def test_text_usage_and_finish(scripted: Scripted, api: Api, streams: bool) -> None:
    scripted.script = lambda _: Reply("blue  light\nscatters", reasoning="let me think", cached=2)
    reply = await ask(api, scripted, streams=streams)
    assert reply.text == "blue  light\nscatters"
    assert reply.finish is Finish.STOP
    assert reply.notes == ()
    assert reply.seconds > 0
    usage = reply.usage
    assert (usage.calls, usage.input_tokens, usage.cached_input_tokens, usage.output_tokens) == (1, 5, 2, 6)
    assert usage.reasoning_tokens == 3
    assert usage.cost_usd is None
    assert not usage.estimated
    assert scripted.billed.output_tokens == usage.output_tokens


async def test_deltas_add_up_to_the_text(scripted: Scripted, api: Api) -> None:
    scripted.script = lambda _: Reply("one two three", reasoning="unseen")
    deltas: list[str] = []
    reply = await ask(api, scripted, on_delta=deltas.append)
    assert deltas == ["one ", "two ", "three"]
    assert reply.text == "one two three"


@pytest.mark.parametrize("streams", [False, True])
async def test_length_bounds_the_reply(scripted: Scripted, api: Api, streams: bool) -> None:
    scripted.script = lambda _: "word " * 50
    reply = await ask(api, scripted, request(most=7), streams=streams)
    assert reply.finish is Finish.LENGTH
    assert reply.usage.output_tokens == 7


@pytest.mark.parametrize("streams", [False, True])
async def test_refusal(scripted: Scripted, api: Api, streams: bool) -> None:
    scripted.script = lambda _: Reply(refusal=True)
    assert (await ask(api, scripted, streams=streams)).finish is Finish.REFUSAL


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("answer", [Reply(""), Reply("", reasoning="only thoughts")])
async def test_no_content_is_an_empty_text(scripted: Scripted, api: Api, streams: bool, answer: Reply) -> None:
    scripted.script = lambda _: answer
    reply = await ask(api, scripted, streams=streams)
    assert reply.text == ""
    assert reply.finish is Finish.STOP


@pytest.mark.parametrize("streams", [False, True])
async def test_usage_is_estimated_where_none_is_sent(scripted: Scripted, api: Api, streams: bool) -> None:
    scripted.script = lambda _: Reply("a reply without its usage", usage=False)
    usage = (await ask(api, scripted, streams=streams)).usage
    assert usage.estimated
    assert usage.calls == 1
    assert usage.input_tokens >= 5
    assert usage.output_tokens >= 5


@pytest.mark.parametrize("streams", [False, True])
async def test_lone_surrogates_are_replaced(scripted: Scripted, api: Api, streams: bool) -> None:
    scripted.script = lambda _: "half \ud83d of a face, and a whole \U0001f600"
    reply = await ask(api, scripted, streams=streams)
    assert reply.text == "half \ufffd of a face, and a whole \U0001f600"


async def test_messages_arrive_as_they_were_laid_out(scripted: Scripted, api: Api) -> None:
    messages = (
        Message("system", ("Be brief.", "Be right.")),
        Message("user", ("task", "candidate", "instruction")),
        Message("assistant", ("reply",)),
        Message("user", ("again",)),
    )
    await ask(api, scripted, Request(messages, 10))
    asked = scripted.asked[0]
    texts = [(role, text.replace("\n\n\n\n", "\n\n")) for role, text in asked.messages]
    assert texts == [(message.role, message.text) for message in messages]
    assert asked.body["model"] == "m"
    assert asked.most == 10
    assert asked.key == KEY


async def test_one_provider_serves_many_calls_at_once(scripted: Scripted, api: Api) -> None:
    import anyio

    scripted.script, scripted.latency = (lambda asked: asked.last), 0.05
    replies: dict[int, str] = {}

    async with provider(api, scripted) as made, anyio.create_task_group() as group:

        async def one(number: int) -> None:
            replies[number] = (await made.complete(request(f"number {number}"), unread)).text

        for number in range(20):
            group.start_soon(one, number)
    assert replies == {number: f"number {number}" for number in range(20)}
    assert scripted.most > 1


async def test_a_cancelled_call_leaves_the_provider_usable(scripted: Scripted, api: Api) -> None:
    import anyio
    import anyio.lowlevel

    from tests.scripted import STALL, in_order

    scripted.script = in_order(STALL, "alive")
    async with provider(api, scripted) as made:
        async with anyio.create_task_group() as group:
            group.start_soon(made.complete, request())
            while not scripted.asked:
                await anyio.lowlevel.checkpoint()
            group.cancel_scope.cancel()
        assert (await made.complete(request())).text == "alive"


def test_a_key_is_in_no_repr(api: Api) -> None:
    from refiner.providers.failures import Endpoint

    endpoint: Any = Endpoint(api, "m", "host", KEY, "KEY_NAME")
    assert KEY not in repr(endpoint)
