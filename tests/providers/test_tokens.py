"""Token counts: a bound that holds, and never a network."""

import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refiner.domain.calls import Message
from refiner.providers import tokens


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table of tokens on the disk: single bytes, and one word."""
    from tiktoken import Encoding, registry

    ranks = {bytes([byte]): byte for byte in range(256)} | {b"to": 256, b"ken": 257, b"ke": 258, b"token": 259}
    encoding = Encoding("small", pat_str=r"\w+|\W", mergeable_ranks=ranks, special_tokens={})
    monkeypatch.setitem(registry.ENCODINGS, "o200k_base", encoding)
    tokens._encoding.cache_clear()


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    tokens._encoding.cache_clear()


def prompt(*texts: str) -> tuple[Message, ...]:
    return tuple(Message("user", (text,)) for text in texts)


def overhead(messages: int) -> int:
    return tokens.bound(prompt(*[""] * messages)).tokens


@pytest.mark.parametrize("model", [None, "gpt-4o", "no-such-model"])
def test_without_a_table_every_byte_may_be_a_token(model: str | None) -> None:
    count = tokens.bound(prompt("Größe", "ok"), model)
    assert count.tokens == 7 + 2 + overhead(2)
    assert not count.exact


def test_a_table_that_is_broken_is_not_fetched_again(tmp_path: Path) -> None:
    from hashlib import sha1

    url = "https://openaipublic.blob.core.windows.net/encodings/o200k_base.tiktoken"
    (tmp_path / sha1(url.encode()).hexdigest()).write_bytes(b"broken")
    assert tokens.bound(prompt("12345"), "gpt-4o").tokens == 5 + overhead(1)


def test_tiktoken_is_left_as_it_was() -> None:
    from tiktoken import load

    before = load.read_file
    tokens.bound(prompt("text"), "gpt-4o")
    assert load.read_file is before


@pytest.mark.usefixtures("table")
def test_with_a_table_tokens_are_counted() -> None:
    assert tokens.bound(prompt("token tokens"), "gpt-4o").tokens == 4 + overhead(1)
    assert tokens.bound(prompt("<|endoftext|> \ud800"), "gpt-4o").tokens > overhead(1)


@pytest.mark.usefixtures("table")
def test_a_very_long_text_is_not_counted() -> None:
    text = "token" * 100_000
    assert tokens.bound(prompt(text), "gpt-4o").tokens == len(text) + overhead(1)


def test_each_message_adds_to_the_bound() -> None:
    assert overhead(3) > overhead(2) > overhead(1) > 0


@given(st.text())
def test_an_estimate_is_below_the_bound_and_not_nothing(text: str) -> None:
    assert bool(text) <= tokens.estimate(text) <= tokens.bound(prompt(text)).tokens
