"""What a model does not take, in both protocols: reasoning effort, and a reply that comes bit by bit."""

import pytest

from tests.providers.asking import APIS, Api, ask, provider, request, unread
from tests.scripted import Outcome, Scripted, status, unsupported
from tests.scripted.script import Asked

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("api", APIS)]
NAMES = {"openai": "reasoning_effort", "anthropic": "output_config"}


async def test_effort_is_said_as_the_protocol_says_it(scripted: Scripted, api: Api) -> None:
    reply = await ask(api, scripted, request(reasoning_effort="low"))
    assert scripted.asked[0].body[NAMES[api]] == ("low" if api == "openai" else {"effort": "low"})
    assert reply.notes == ()
    await ask(api, scripted)
    assert NAMES[api] not in scripted.asked[1].body


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize(
    "words",
    [
        "This model does not support the effort parameter.",
        "output_config, reasoning_effort: Extra inputs not permitted",
    ],
)
async def test_effort_that_is_refused_is_left_out_from_then_on_and_said_so(
    scripted: Scripted, api: Api, streams: bool, words: str
) -> None:
    def script(asked: Asked) -> Outcome:
        said = words.replace("effort parameter", "reasoning_effort parameter") if api == "openai" else words
        return status(400, said) if NAMES[api] in asked.body else "fine"

    scripted.script = script
    async with provider(api, scripted) as made:
        assert (await made.capabilities()).reasoning_effort
        replies = [await made.complete(request(reasoning_effort="high"), unread if streams else None) for _ in "12"]
        assert not (await made.capabilities()).reasoning_effort
    assert [NAMES[api] in asked.body for asked in scripted.asked] == [True, False, False]
    assert [reply.text for reply in replies] == ["fine", "fine"]
    assert {reply.notes for reply in replies} == {(f"{api}:m takes no reasoning_effort: it was left out",)}


async def test_a_server_that_refuses_to_stream_is_asked_again_without(scripted: Scripted, api: Api) -> None:
    scripted.script = unsupported("stream", lambda _: "all at once")
    heard: list[str] = []
    async with provider(api, scripted) as made:
        assert (await made.capabilities()).streaming
        replies = [await made.complete(request(), heard.append) for _ in "12"]
        assert not (await made.capabilities()).streaming
    assert ["stream" in asked.body for asked in scripted.asked] == [True, False, False]
    assert "stream_options" not in scripted.asked[-1].body
    assert [reply.text for reply in replies] == heard == ["all at once"] * 2
