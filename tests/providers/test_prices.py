"""Prices: known, unknown, and never below what a call can come to."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refiner.domain.calls import Usage
from refiner.providers.prices import Prices, context_tokens, price, prices_of

MODELS = [
    ("openai", "gpt-4o"),
    ("openai", "gpt-5.6-sol"),
    ("anthropic", "claude-sonnet-4-5"),
    ("anthropic", "claude-opus-4-1"),
    ("https://api.groq.com/openai/v1", "llama-3.1-8b-instant"),
]


def test_a_known_price() -> None:
    usage = Usage(1, 1_000_000, 500_000, 100_000)
    assert price("openai", "gpt-4o", usage) == pytest.approx(1.25 + 0.625 + 1.0)
    assert prices_of("openai:gpt-4o") == Prices(2.5, 1.25, 10.0, tiered=False)
    assert prices_of("anthropic:claude-sonnet-4-5") == Prices(3.0, 0.3, 15.0, tiered=True)


def test_in_a_batch() -> None:
    usage = Usage(1, 1_000_000, 0, 100_000)
    assert price("openai", "gpt-4o", usage, batch=True) == pytest.approx((2.5 + 1.0) / 2)
    untold = ("anthropic", "claude-opus-4-1", usage)
    assert price(*untold, batch=True) == price(*untold)


@pytest.mark.parametrize("name", ["openai:no-such-model", "nobody:gpt-4o", "local", "http://127.0.0.1:8000/v1:m", ""])
def test_an_unknown_price_is_none(name: str) -> None:
    provider, _, model = name.rpartition(":")
    assert price(provider, model, Usage(1, 10, 0, 10)) is None
    assert prices_of(name) is None


@given(
    st.sampled_from(MODELS),
    st.integers(0, 400_000),
    st.integers(0, 400_000),
    st.integers(0, 400_000),
    st.integers(0, 50_000),
    st.integers(0, 1000),
)
def test_a_reservation_bounds_every_way_that_a_call_can_be_billed(
    model: tuple[str, str], plain: int, read: int, written: int, output: int, spare: int
) -> None:
    given_tokens = plain + read + written
    true = price(*model, Usage(1, given_tokens, read, output), written=written)
    most = price(*model, Usage(1, given_tokens + spare, 0, output + spare))
    assert true is not None
    assert most is not None
    assert true <= most * (1 + 1e-9)


def test_context() -> None:
    assert context_tokens("openai", "gpt-4o") == 128_000
    assert context_tokens("openai", "no-such-model") is None


def test_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert price("openai", "gpt-4o", Usage(1, 10, 0, 10)) is not None
