"""A call to a model: what is asked, what comes back, what it used, and who answers."""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Literal, Protocol, Self

from refiner.domain.errors import UsageError

_MAGIC = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif"}


class Role(StrEnum):
    """What a call is for; it decides which of a run's models is asked."""

    ANSWER = "answer"
    CRITIC = "critic"
    GRADIENT = "gradient"
    UPDATER = "updater"
    REPAIR = "repair"
    JUDGE = "judge"


@dataclass(frozen=True, slots=True)
class Image:
    """A picture that a model sees: an https URL, which the provider fetches, or a data URL that holds it."""

    url: str

    @classmethod
    def of(cls, source: str | Path | bytes) -> Self:
        """The picture at a URL, in a file or in bytes. Raises UsageError for what is no PNG, JPEG, GIF or WebP."""
        if isinstance(source, str) and source.startswith(("https://", "data:image/")):
            return cls(source)
        if isinstance(source, str) and source.startswith("http:"):
            raise UsageError(f"the image {source} has no https URL: load it, and give its file or its bytes")
        try:
            data = source if isinstance(source, bytes) else Path(source).read_bytes()
        except OSError as error:
            raise UsageError(f"the image {source!s} cannot be read: {error.strerror}") from error
        kind = next((kind for magic, kind in _MAGIC.items() if data.startswith(magic)), None)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            kind = "webp"
        if kind is None:
            raise UsageError("models see images as PNG, JPEG, GIF or WebP: convert this one")
        return cls(f"data:image/{kind};base64,{b64encode(data).decode()}")

    @property
    def encoded(self) -> tuple[str, str] | None:
        """Its media type and its bytes in base64, where the URL holds them."""
        head, comma, data = self.url.partition(";base64,")
        return (head.removeprefix("data:"), data) if comma else None

    def __str__(self) -> str:
        """What stands in its place in a text."""
        return f"[{self.encoded[0]}, {len(self.encoded[1]) * 3 // 4:,} bytes]" if self.encoded else f"[{self.url}]"


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a prompt, in parts: texts, and images for models that see.

    Every part but the last is shared with other calls of the same run (the task, the candidate); the last is
    the instruction of the role. Providers join the parts with a blank line, and may mark the shared ones for caching.
    """

    role: Literal["system", "user", "assistant"]
    parts: tuple[str | Image, ...]

    @property
    def text(self) -> str:
        return "\n\n".join(map(str, self.parts))

    @property
    def images(self) -> tuple[Image, ...]:
        return tuple(part for part in self.parts if isinstance(part, Image))


@dataclass(frozen=True, slots=True)
class Request:
    """One call: messages, and how the reply is to be sampled.

    max_output_tokens bounds the reply, reasoning included. What is None is left to the model. prediction is a text that
    most of the reply is expected to repeat, reasoning_effort a word of the provider's, such as "low". step: run/place
    of the attempt, for a provider that answers later; it changes nothing about the call.
    """

    messages: tuple[Message, ...]
    max_output_tokens: int
    temperature: float | None = None
    seed: int | None = None
    prediction: str | None = None
    reasoning_effort: str | None = None
    step: str = field(default="", repr=False, compare=False)


class Finish(StrEnum):
    """Why a reply ended."""

    STOP = "stop"
    LENGTH = "length"
    REFUSAL = "refusal"


def short(count: float) -> str:
    """Tokens in four characters or so: 950, 3.1k, 2.4M."""
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if count >= size:
            return f"{count / size:.1f}{unit}"
    return f"{count:.0f}"


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens and US dollars of one call or of many.

    input_tokens includes the cached ones, output_tokens includes the reasoning ones. cost_usd is None where a price
    is unknown, and stays None in every sum. estimated: the provider did not say, so the figures are ours.
    """

    calls: int = 0
    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd: float | None = 0.0
    estimated: bool = False

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    @property
    def told(self) -> str:
        """Calls, tokens and US dollars in words; nothing where no call was made."""
        if not self.calls:
            return ""
        dollars = "price unknown" if self.cost_usd is None else f"${self.cost_usd:.4f}"
        return f"{self.calls} {'call' if self.calls == 1 else 'calls'}, {self.tokens:,} tokens, {dollars}"

    def __add__(self, other: "Usage") -> "Usage":
        known = self.cost_usd is not None and other.cost_usd is not None
        return Usage(
            self.calls + other.calls,
            self.input_tokens + other.input_tokens,
            self.cached_input_tokens + other.cached_input_tokens,
            self.output_tokens + other.output_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            (self.cost_usd or 0.0) + (other.cost_usd or 0.0) if known else None,
            self.estimated or other.estimated,
        )


@dataclass(frozen=True, slots=True)
class Reply:
    """What a provider answered; `notes` names each parameter that the model refused and that was left out."""

    text: str
    usage: Usage
    finish: Finish
    seconds: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a model takes, asked or known; None stands for "not known".

    context_tokens is the most that prompt and reply may fill together; strong models may compare candidates,
    weak ones only vote (2509.00084).
    """

    temperature: bool = True
    seed: bool = False
    streaming: bool = True
    reasoning_effort: bool = True
    prediction: bool = False
    context_tokens: int | None = None
    strong: bool = True


@dataclass(frozen=True, slots=True)
class Count:
    """Tokens of a prompt: exact, or a bound that the true count cannot exceed."""

    tokens: int
    exact: bool


class Provider(Protocol):
    """Whoever answers a prompt. One instance serves one model and may be used by many runs at once."""

    @property
    def name(self) -> str:
        """The model as the user names it, such as "openai:gpt-4o"."""
        ...

    async def capabilities(self) -> Capabilities: ...

    async def complete(self, request: Request, on_delta: Callable[[str], None] | None = None) -> Reply:
        """Make one attempt at a call.

        Raises ProviderError (with retryable, retry_after and billed set) and ContextLengthError; never retries.
        """
        ...

    async def count(self, request: Request) -> Count:
        """The most tokens that the request's messages can come to."""
        ...

    def price(self, usage: Usage) -> float | None:
        """US dollars for the usage; None where the price is unknown, 0 for a local model."""
        ...

    async def aclose(self) -> None: ...
