"""How many tokens a text comes to, without ever asking a network."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING

from refiner.domain.calls import Count, Message

if TYPE_CHECKING:
    from tiktoken import Encoding

_PER_MESSAGE = 8
_PER_PROMPT = 128
"""What a chat template may add of its own: a default system text is part of many."""

_PER_IMAGE = 5_000
_DEAR = {"gpt-4o-mini": 50_000}
"""The most that an image comes to: providers scale it down before they count it, and one model counts 33-fold."""

_USUAL_IMAGE = 1_500
_MOST_COUNTED = 200_000
"""Characters: a longer text would keep everybody else waiting while it is counted."""

_lock = Lock()


def bound(messages: Sequence[Message], model: str | None = None) -> Count:
    """The most tokens that a prompt can come to.

    `model` names a model of OpenAI, whose tokens are counted if their table is on the disk already; any other text
    has at most one token a byte, for every tokenizer in use falls back to bytes and none has a token for less.
    """
    encoding = _encoding(model) if model else None

    def most(text: str) -> int:
        return len(encoding.encode_ordinary(text)) if encoding and len(text) <= _MOST_COUNTED else _bytes(text)

    images = sum(len(message.images) for message in messages)
    dear = next((most for name, most in _DEAR.items() if model and model.startswith(name)), _PER_IMAGE)
    tokens = sum(most(message.text) for message in messages) + images * dear
    return Count(tokens + _PER_MESSAGE * len(messages) + _PER_PROMPT, exact=False)


def estimate(text: str) -> int:
    """About how many tokens a text has, for a reply whose provider does not say: a third of its bytes."""
    return -(-_bytes(text) // 3)


def estimated(messages: Sequence[Message]) -> int:
    """About how many tokens a prompt has."""
    return sum(estimate(message.text) + _USUAL_IMAGE * len(message.images) for message in messages)


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


@cache
def _encoding(model: str) -> "Encoding | None":
    import tiktoken

    with _lock, _offline():
        try:
            return tiktoken.encoding_for_model(model)
        except (KeyError, OSError, ValueError):
            return None


@contextmanager
def _offline() -> Iterator[None]:
    """Make tiktoken fail where it would download a table: it has no switch for that."""
    from tiktoken import load

    def refuse(blobpath: str) -> bytes:
        raise FileNotFoundError(blobpath)

    read_file, load.read_file = load.read_file, refuse
    try:
        yield
    finally:
        load.read_file = read_file
