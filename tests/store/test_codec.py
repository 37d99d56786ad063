"""Events to JSON and back, and texts to bytes and back."""

import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import get_args

import pytest
from hypothesis import given

from refiner.domain.events import Event, Note
from refiner.store.codec import decode, encode, refs, slot
from refiner.store.texts import digest_of, pack, unpack
from tests.store.samples import DRAFT, QUESTION, TRAJECTORY, call, events, texts


class Shelf(dict[str, str]):
    """Texts by digest."""

    def put(self, text: str) -> str:
        self[digest_of(text)] = text
        return digest_of(text)


@given(events)
def test_an_event_comes_back_as_it_was(event: Event) -> None:
    shelf = Shelf()
    assert decode(encode(event, shelf.put), shelf) == event


@given(events)
def test_a_payload_is_ascii_json_with_short_strings_alone(event: Event) -> None:
    shelf = Shelf()
    payload = encode(event, shelf.put)
    assert payload.isascii()
    assert set(refs(payload)) == set(shelf)
    for item in _strings(json.loads(payload)):
        assert len(item) <= 120


def _strings(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            yield from _strings([*value.values()])
        case list():
            for item in value:
                yield from _strings(item)


def test_every_kind_of_event_is_sampled() -> None:
    assert {type(event) for event in TRAJECTORY} == set(get_args(Event))
    assert all(is_dataclass(kind) and "type" in {field.name for field in fields(kind)} for kind in get_args(Event))


def test_the_parts_of_a_message_are_texts_of_their_own() -> None:
    first, second = Shelf(), Shelf()
    encode(call(instruction="Find the flaw. " * 20), first.put)
    encode(call("0/1/answer", instruction="Rewrite it. " * 20), second.put)
    assert set(first.values()) & set(second.values()) == {QUESTION, DRAFT}


def test_a_marker_of_ours_inside_a_text_stays_a_text() -> None:
    note = Note('{"$text": "' + "0" * 64 + '"}')
    assert decode(encode(note, Shelf().put), {}) == note


def test_an_event_whose_text_is_gone_is_no_event() -> None:
    payload = encode(Note("x" * 121), Shelf().put)
    with pytest.raises(KeyError):
        decode(payload, {})


@given(texts)
def test_a_text_comes_back_as_it_was(text: str) -> None:
    row = pack(digest_of(text), text)
    assert isinstance(row["encoding"], str)
    assert isinstance(row["body"], bytes)
    assert unpack(row["encoding"], row["body"]) == text


def test_a_long_text_is_compressed_and_a_short_one_is_not() -> None:
    long, short = pack("0", QUESTION), pack("0", "neon")
    assert long["encoding"] == "zlib"
    assert len(long["body"]) < len(QUESTION) / 2
    assert short == {"digest": "0", "encoding": "plain", "body": b"neon"}


@given(texts, texts)
def test_places_that_differ_have_slots_that_differ(one: str, other: str) -> None:
    assert (slot(one) == slot(other)) == (one == other)
    assert len(slot(one)) <= 120
    assert slot(one).isprintable()
