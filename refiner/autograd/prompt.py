"""How a prompt is laid out: shared sections first, the role's instruction last, cut only where that is allowed."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Protocol

from refiner.autograd.concurrent import placed
from refiner.domain.calls import Count, Image, Message, Reply, Role, Usage
from refiner.domain.errors import ContextLengthError

_LEAST = 200


class Engine(Protocol):
    """What the graph asks of the world: a reply to messages, and how long they are.

    place tells calls of the same role apart (a node's number); it never changes when a run is repeated.
    """

    @property
    def room(self) -> int | None:
        """Tokens that a prompt may have beside its reply; None where that is not known."""
        ...

    @property
    def usage(self) -> Usage:
        """What its replies used so far; rules of calls, tokens and cost go by it."""
        ...

    async def count(self, messages: tuple[Message, ...], role: Role) -> Count: ...

    async def complete(
        self, messages: tuple[Message, ...], role: Role, place: str, prediction: str | None = None
    ) -> Reply: ...

    def note(self, text: str) -> None:
        """Tell the user something that changed a prompt."""
        ...


@dataclass(frozen=True, slots=True)
class Section:
    """A named text of a prompt, or an image; `whole` ones (the task, a variable) are never cut.

    One without a name is the bare text, or the bare image.
    """

    name: str
    text: str
    whole: bool = True
    image: Image | None = None

    def __str__(self) -> str:
        if not self.name:
            return self.text
        tag = self.name
        while f"<{tag}>" in self.text or f"</{tag}>" in self.text:
            tag += "_"
        return f"<{tag}>\n{self.text}\n</{tag}>"

    @property
    def parts(self) -> tuple[str | Image, ...]:
        if self.image is None:
            return (str(self),)
        return (str(self), self.image) if self.name else (self.image,)


@dataclass(frozen=True, slots=True)
class Prompt:
    """Sections in the order that lets calls share the longest prefix, then the instruction of the role.

    shared: how many of the sections other calls are expected to begin with, so that a cache of them pays; None is all.
    """

    system: str
    sections: tuple[Section, ...]
    instruction: str
    shared: int | None = None

    @property
    def messages(self) -> tuple[Message, ...]:
        shared = self.sections[: self.shared]
        parts = [part for section in shared for part in section.parts]
        own = [part for section in self.sections[len(shared) :] for part in section.parts]
        if self.instruction or not (parts or own):
            own.append(self.instruction)
        system = (Message("system", (self.system,)),) if self.system else ()
        return (*system, Message("user", (*parts, *_joined(own))))


def _joined(parts: Iterable[str | Image]) -> Iterator[str | Image]:
    """The parts, texts that follow one another as one."""
    for texts, run in groupby(parts, lambda part: isinstance(part, str)):
        if texts:
            yield "\n\n".join(map(str, run))
        else:
            yield from run


def cut(text: str, keep: int) -> str:
    """The beginning and the end of a text, `keep` characters in all, and between them how much was left out."""
    head, tail = keep - keep // 3, keep // 3
    return (
        f"{text[:head]}\n[… {len(text) - keep} characters cut to fit the model's context …]\n{text[len(text) - tail :]}"
    )


def _length(count: Count) -> int:
    # A bound counts every byte as a token; prose and code have about three bytes to one.
    return count.tokens if count.exact else count.tokens // 3


async def fit(prompt: Prompt, engine: Engine, role: Role) -> Prompt:
    """The prompt, its longest cuttable sections cut until it leaves the reply its room.

    Raises ContextLengthError when only whole sections are left and they do not fit.
    """
    if engine.room is None:
        return prompt
    while (length := _length(count := await engine.count(prompt.messages, role))) > engine.room:
        longest = max(
            (section for section in prompt.sections if not section.whole),
            key=lambda section: len(section.text),
            default=None,
        )
        if longest is None or len(longest.text) <= _LEAST:
            if not count.exact:
                return prompt
            raise ContextLengthError(
                f"the prompt has {length:,} tokens and the model's context leaves room for {engine.room:,}: "
                "shorten the input or choose a model with a longer context",
                limit=engine.room,
                length=length,
            )
        share = engine.room / length
        keep = max(_LEAST // 2, int(len(longest.text) * share) - _LEAST)
        shorter = replace(longest, text=cut(longest.text, keep))
        engine.note(f"the {longest.name} was cut to fit the context of the {role} model")
        prompt = replace(
            prompt, sections=tuple(shorter if section is longest else section for section in prompt.sections)
        )
    return prompt


async def ask(engine: Engine, prompt: Prompt, role: Role, place: str, prediction: str | None = None) -> Reply:
    """One call with a prompt that fits. Raises ContextLengthError, and whatever the engine raises."""
    place = placed(role, place)
    fitting = await fit(prompt, engine, role)
    return await engine.complete(fitting.messages, role, place, prediction)
