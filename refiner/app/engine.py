"""An engine for graphs of one's own: a model that variables, losses and optimizers may ask."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from refiner.app.world import Lines
from refiner.config.sources import load
from refiner.domain.calls import Count, Message, Reply, Request, Role, Usage
from refiner.providers.connect import resolve
from refiner.run.context import Line


@dataclass(slots=True)
class ModelEngine:
    """Implements refiner.autograd.prompt.Engine over one model; `usage` adds up what its calls used.

    max_output_tokens bounds each reply. temperature is left out where the model takes none. notes gathers what
    changed a prompt, such as a text that was cut.
    """

    line: Line
    max_output_tokens: int = 1024
    temperature: float | None = 0.0
    reasoning_effort: str | None = None
    usage: Usage = field(default_factory=Usage)
    notes: list[str] = field(default_factory=list)

    @property
    def room(self) -> int | None:
        context = self.line.capabilities.context_tokens
        return None if context is None else context - min(self.max_output_tokens, context // 2)

    async def count(self, messages: tuple[Message, ...], role: Role) -> Count:
        return await self.line.provider.count(Request(messages, 1))

    async def complete(
        self,
        messages: tuple[Message, ...],
        role: Role,
        place: str,
        prediction: str | None = None,
    ) -> Reply:
        takes = self.line.capabilities
        request = Request(
            messages,
            self.max_output_tokens,
            self.temperature if takes.temperature else None,
            prediction=prediction if takes.prediction else None,
            reasoning_effort=self.reasoning_effort,
        )
        async for trial in self.line.retrying():
            with trial:
                async with self.line.slot():
                    reply = await self.line.provider.complete(request)
        self.usage += reply.usage
        return reply

    def note(self, text: str) -> None:
        self.notes.append(text)


@asynccontextmanager
async def engine(model: str = "auto", *, max_output_tokens: int = 1024, **settings: Any) -> AsyncIterator[ModelEngine]:
    """Open an engine on a model and close it again; settings are those of refiner.toml by name.

    Raises UsageError for a model that is not known or has no key.
    """
    loaded = load(keywords={"model": model, **settings})
    lines = Lines(loaded.settings, loaded.paths)
    try:
        line = await lines.connect(resolve(loaded.settings, loaded.paths), loaded.settings.base_url)
        own = loaded.settings
        yield ModelEngine(line, max_output_tokens, own.temperature or 0.0, own.reasoning_effort)
    finally:
        await lines.aclose()
