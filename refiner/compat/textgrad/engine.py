"""Engines: refiner's models under TextGrad's names, and TextGrad's own engines as refiner's."""

import os
import re
from base64 import b64decode
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio

from refiner.autograd.prompt import Engine
from refiner.compat.textgrad.loop import opened, run
from refiner.domain.calls import Count, Finish, Image, Message, Reply, Role, Usage
from refiner.domain.errors import UsageError

if TYPE_CHECKING:
    from refiner.app.engine import ModelEngine

Content = str | Sequence[str | bytes]

_SHORT = {
    "opus": "claude-3-opus-20240229",
    "haiku": "claude-3-haiku-20240307",
    "sonnet": "claude-3-sonnet-20240229",
    "sonnet-3.5": "claude-3-5-sonnet-20240620",
}
_SERVERS = re.compile(
    r"(azure|bedrock|gemini|groq|ollama|together|vllm)/|(azure|groq|ollama|together|vllm)-|(?=(gemini)-)"
)
_OLLAMA = "http://localhost:11434/v1"
_OPENAI = re.compile(r"(gpt-|chatgpt-|o\d)")

default: ContextVar[Any] = ContextVar("default", default=None)
"""What objects take that are made in this context without an engine."""


class EngineLM:
    """A model that is called without `await`. Whoever brings another one writes `generate`."""

    model_string: str = ""
    system_prompt: str | None = None

    def generate(self, content: Content, system_prompt: str | None = None, **options: Any) -> str:
        raise NotImplementedError

    def __call__(self, content: Content, system_prompt: str | None = None, **options: Any) -> str:
        return self.generate(content, system_prompt=system_prompt, **options)


class Model(EngineLM):
    """One of refiner's models; `core` is the engine that the graph asks."""

    def __init__(self, model_string: str, core: "ModelEngine", system_prompt: str | None = None) -> None:
        self.model_string = model_string
        self.core = core
        self.system_prompt = system_prompt

    @property
    def usage(self) -> Usage:
        """What it used so far."""
        return self.core.usage

    def generate(
        self,
        content: Content,
        system_prompt: str | None = None,
        *,
        temperature: float | None = None,
        max_tokens: int | None = None,
        **options: Any,
    ) -> str:
        """A reply to texts and images, outside of any graph."""
        if options:
            raise UsageError(f"{self.model_string} takes no {', '.join(options)}: only temperature and max_tokens")
        parts = [content] if isinstance(content, str) else content
        shown = tuple(Image.of(part) if isinstance(part, bytes) else part for part in parts)
        system = system_prompt or self.system_prompt
        head = (Message("system", (system,)),) if system else ()
        asked = self.core
        if temperature is not None or max_tokens is not None:
            most = max_tokens or asked.max_output_tokens
            asked = replace(asked, temperature=temperature, max_output_tokens=most, usage=Usage())
        reply = run(asked.complete, (*head, Message("user", shown)), Role.ANSWER, "generate")
        if asked is not self.core:
            self.core.usage += asked.usage
        return reply.text


@dataclass(eq=False)
class _Called:
    """Implements refiner.autograd.prompt.Engine over a function; it is called once at a time, as TextGrad does."""

    function: Callable[..., str]
    limiter: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(1))
    room: int | None = None
    usage: Usage = field(default_factory=lambda: Usage(estimated=True))

    async def count(self, messages: tuple[Message, ...], role: Role) -> Count:
        return Count(sum(len(message.text.encode()) for message in messages), exact=False)

    async def complete(
        self, messages: tuple[Message, ...], role: Role, place: str, prediction: str | None = None
    ) -> Reply:
        *system, user = messages
        content: Content = user.text
        if user.images:
            content = [_bytes(part) if isinstance(part, Image) else part for part in user.parts]
        call = partial(self.function, content, system_prompt=system[0].text if system else None)
        began = anyio.current_time()
        text = await anyio.to_thread.run_sync(call, limiter=self.limiter)
        used = Usage(1, cost_usd=None, estimated=True)
        self.usage += used
        return Reply(text, used, Finish.STOP, anyio.current_time() - began)

    def note(self, text: str) -> None:
        pass


def get_engine(engine_name: str, **settings: Any) -> EngineLM:
    """An engine by TextGrad's names, or refiner's; settings are those of refiner.toml, such as `base_url`.

    Raises UsageError for a model that is not known or has no key.
    """
    from refiner.app.engine import engine

    name = engine_name.removeprefix("experimental:")
    name = _SHORT.get(name, name)
    # What TextGrad kept for a cache and for checks of its own has no meaning here.
    for unused in ("cache", "is_multimodal"):
        settings.pop(unused, None)
    system = settings.pop("system_prompt", None)
    if name.startswith("ollama-") and "base_url" not in settings:
        name = f"openai:{name.removeprefix('ollama-')}"
        settings["base_url"] = os.environ.get("OLLAMA_BASE_URL", _OLLAMA)
    elif server := _SERVERS.match(name):
        name = f"{server[server.lastindex or 0]}:{name[server.end() :]}"
    elif name.startswith(("openai/", "anthropic/")):
        name = name.replace("/", ":", 1)
    elif name.startswith("claude"):
        name = f"anthropic:{name}"
    elif _OPENAI.match(name):
        name = f"openai:{name}"
    settings.setdefault("max_output_tokens", 2000)
    return Model(engine_name, opened(engine(name, **settings)), system)


def engine_of(engine: Any = None) -> Engine:
    """The engine that is meant: a name, one of TextGrad's or of refiner's, or else the default of this context.

    Raises UsageError where there is none.
    """
    engine = default.get() if engine is None else engine
    if engine is None:
        raise UsageError("no engine: pass one, or call set_backward_engine(…) first, in this thread or task")
    if isinstance(engine, str):
        engine = get_engine(engine)
    if isinstance(engine, Model):
        return engine.core
    return engine if hasattr(engine, "complete") else _Called(engine)


def _bytes(image: Image) -> str | bytes:
    return b64decode(image.encoded[1]) if image.encoded else image.url
