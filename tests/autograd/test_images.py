"""Images as inputs: both providers get them, models judge by them, and feedback flows to the texts alone."""

from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

import refiner
from refiner.domain.calls import Image, Message
from refiner.domain.errors import UsageError
from refiner.store.projection import pack_messages, unpack_messages
from tests.providers.asking import APIS, KEY, Api
from tests.scripted import Asked, Scripted

pytestmark = pytest.mark.anyio

PNG = b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==")


def sent(asked: Asked) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = asked.body["messages"][-1]["content"]
    return [block for block in content if block["type"] != "text"]


@pytest.mark.parametrize("api", APIS)
async def test_feedback_on_an_answer_about_an_image_reaches_the_question_alone(
    api: Api, scripted: Scripted, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    file = tmp_path / "dot.png"
    file.write_bytes(PNG)
    url = scripted.openai if api == "openai" else scripted.anthropic
    async with refiner.engine(f"{api}:m", providers={api: {"base_url": url}}) as engine:
        picture, question = refiner.image(file), refiner.Variable("What is it?", "question")
        answer = await refiner.ModelCall(engine, role="answer")(picture, question)
        loss = await refiner.TextLoss.by(engine, "Is the answer true to the image?").image(picture, question, answer)
        await refiner.backward(loss, engine)
    assert answer.gradients
    assert question.gradients
    assert not picture.gradients
    assert len(scripted.asked) == 5  # call, loss, and a gradient for answer, question as judged, question as asked
    for asked in scripted.asked:
        (block,) = sent(asked)
        if api == "openai":
            assert b64decode(block["image_url"]["url"].partition(",")[2]) == PNG
        else:
            source = block["source"]
            assert (source["media_type"], b64decode(source["data"])) == ("image/png", PNG)
    assert "answer" in scripted.asked[1].last


async def test_an_image_by_its_url_is_left_to_the_provider(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    picture = refiner.image("https://example.org/a.jpg")
    for api, url in (("openai", scripted.openai), ("anthropic", scripted.anthropic)):
        async with refiner.engine(f"{api}:m", providers={api: {"base_url": url}}) as engine:
            await refiner.ModelCall(engine)(refiner.Variable("Look:", "text"), picture)
    first, second = (sent(asked)[0] for asked in scripted.asked)
    assert first["image_url"] == {"url": "https://example.org/a.jpg"}
    assert second["source"] == {"type": "url", "url": "https://example.org/a.jpg"}


def test_what_is_no_image_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="PNG, JPEG, GIF or WebP"):
        refiner.image(b"%PDF-1.7")
    with pytest.raises(UsageError, match="cannot be read"):
        refiner.image(tmp_path / "none.png")
    with pytest.raises(UsageError, match="no https URL"):
        refiner.image("http://example.org/a.jpg")
    with pytest.raises(UsageError, match="feedback changes texts alone"):
        refiner.TextualGradientDescent([refiner.image(PNG)], None)  # type: ignore[arg-type]  # it never gets so far


def test_the_journal_gives_an_image_back() -> None:
    message = Message("user", ("look", Image.of(PNG), "what is it?"))
    kept: dict[str, str] = {}
    packed = pack_messages([message], lambda text: kept.setdefault(str(len(kept)), text) and str(len(kept) - 1))
    assert unpack_messages(packed, kept) == (message,)
    assert message.text.count("[image/png, ") == 1
