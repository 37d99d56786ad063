"""A run as the engine of a graph: of one step, or of a graph that spans the run."""

from dataclasses import dataclass, field, replace

from refiner.domain.calls import Count, Message, Reply, Role, Usage
from refiner.domain.events import Event
from refiner.run.context import RunContext


@dataclass(frozen=True, slots=True)
class StepEngine:
    """The graph's engine at one step of a run: a chain and an iteration; most: tokens of a reply known to be short."""

    context: RunContext
    chain: int
    iteration: int
    temperature: float | None = 0.0
    most: int | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def room(self) -> int | None:
        plan = self.context.plan
        limits = [self.context.capabilities(role).context_tokens for role in Role]
        least = min((limit for limit in limits if limit is not None), default=None)
        return None if least is None else least - min(plan.max_output_tokens, least // 2)

    @property
    def usage(self) -> Usage:
        return self.context.state.usage

    async def count(self, messages: tuple[Message, ...], role: Role) -> Count:
        return await self.context.count(messages, role)

    async def complete(
        self, messages: tuple[Message, ...], role: Role, place: str, prediction: str | None = None
    ) -> Reply:
        while self.notes:
            await self.context.note(self.notes.pop())
        key = f"{self.chain}/{self.iteration}/{role}/{place}"
        return await self.context.call(
            key, role, messages, temperature=self.temperature, prediction=prediction, most=self.most
        )

    def note(self, text: str) -> None:
        self.notes.append(text)


@dataclass(slots=True)
class RunEngine:
    """The graph's engine over a whole run, for graphs that are built anew when it is resumed.

    A call belongs to the iteration that its outermost scope names, and to the first without one. usage: what its
    replies used, the recorded ones among them.
    """

    context: RunContext
    usage: Usage = field(default_factory=Usage)
    _step: StepEngine = field(init=False)

    def __post_init__(self) -> None:
        self._step = StepEngine(self.context, 0, 0, self.context.plan.temperature or 0.0)

    @property
    def room(self) -> int | None:
        return self._step.room

    async def count(self, messages: tuple[Message, ...], role: Role) -> Count:
        return await self._step.count(messages, role)

    async def complete(
        self, messages: tuple[Message, ...], role: Role, place: str, prediction: str | None = None
    ) -> Reply:
        first, _, rest = place.partition("/")
        numbered = bool(rest) and first.isdecimal()
        step = replace(self._step, iteration=int(first)) if numbered else self._step
        reply = await step.complete(messages, role, rest if numbered else place, prediction)
        self.usage += reply.usage
        return reply

    def note(self, text: str) -> None:
        self._step.note(text)

    async def record(self, *events: Event) -> None:
        """Commit events; those that happened before are left as they are."""
        await self.context.record(*events)
