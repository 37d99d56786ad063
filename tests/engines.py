"""An engine for tests of the graph: replies come from a function, and every prompt is kept."""

from collections.abc import Callable
from dataclasses import dataclass, field

import anyio

from refiner.domain.calls import Count, Finish, Message, Reply, Role, Usage

Answering = Callable[[str, Role], str]


@dataclass
class ScriptedEngine:
    """Implements refiner.autograd.prompt.Engine: one token a word, and room for as many as the test says."""

    answering: Answering = lambda _text, role: f"<improved>better</improved> from {role}"
    room: int | None = None
    finish: Finish = Finish.STOP
    delays: Callable[[str], int] = lambda _place: 0
    prompts: list[tuple[Role, str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    running: int = 0
    most_running: int = 0
    usage: Usage = field(default_factory=Usage)

    async def count(self, messages: tuple[Message, ...], role: Role) -> Count:
        return Count(sum(len(message.text.split()) for message in messages), exact=True)

    async def complete(
        self,
        messages: tuple[Message, ...],
        role: Role,
        place: str,
        prediction: str | None = None,
    ) -> Reply:
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            for _ in range(1 + self.delays(place)):
                await anyio.lowlevel.checkpoint()
        finally:
            self.running -= 1
        text = "\n\n".join(message.text for message in messages)
        self.prompts.append((role, place, text))
        self.usage += Usage(1)
        return Reply(self.answering(text, role), Usage(1), self.finish, 0.0)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def asked(self, role: Role) -> list[str]:
        return [text for asked, _, text in self.prompts if asked is role]
