"""Operations: how a variable is made (forward), and what its sources hear of it (backward), side by side."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from inspect import isawaitable, iscoroutine, iscoroutinefunction

import anyio

from refiner.autograd import arguments
from refiner.autograd.prompt import Engine, Prompt, Section, ask
from refiner.autograd.variable import PASS, Feedback, Variable, section, variables
from refiner.domain.calls import Role
from refiner.domain.errors import UsageError
from refiner.prompts import Prompts, fill

Backward = Callable[[Variable, Variable], str | Awaitable[str | None] | None]
"""Feedback on a source, the second argument, from the output with its gradients; None where there is none."""


def feedback_section(output: Variable) -> tuple[Section, ...]:
    """What an output has heard itself, as a section that may be cut."""
    if not output.latest:
        return ()
    return (Section("feedback", "\n\n".join(feedback.text for feedback in output.latest), whole=False),)


@dataclass(frozen=True)
class ModelCall:
    """A model's reply to variables, texts and images in their order, under a system variable where there is one.

    Backward: the system and the inputs hear how they should change, given the feedback on the reply.
    """

    engine: Engine
    system: Variable | None = None
    role: str = "response of the language model"
    prompts: Prompts = field(default_factory=Prompts)

    def __post_init__(self) -> None:
        arguments.engine(self.engine)
        variables("system", *((self.system,) if self.system is not None else ()))

    async def __call__(self, *inputs: Variable, place: str = "call") -> Variable:
        variables("inputs", *inputs)
        shown = tuple(Section("", one.value, image=one.image) for one in inputs if one.image or one.value)
        prompt = Prompt(self.system.value if self.system else "", shown, "")
        reply = await ask(self.engine, prompt, Role.ANSWER, place)
        sources = (self.system, *inputs) if self.system else inputs
        return Variable(reply.text, self.role, sources=sources, operation=self, usage=reply.usage)

    async def gradient(self, output: Variable, source: Variable, engine: Engine, place: str) -> Feedback | None:
        inputs = output.sources[1:] if self.system else output.sources
        names = ["input"] if len(inputs) == 1 else [f"input_{number}" for number in range(1, 1 + len(inputs))]
        shown = [section(name, node) for name, node in zip(names, inputs, strict=True)]
        if self.system:
            shown.insert(0, section("system_prompt", self.system))
        return await explained((*shown, Section("response", output.value)), output, source, engine, place, self.prompts)


@dataclass(frozen=True)
class FormattedModelCall:
    """A model's reply to a template whose `{name}` fields are variables; any other brace is plain text.

    Backward: every field, and the system variable, hears how it should change, given the feedback on the reply.
    """

    engine: Engine
    template: str
    system: Variable | None = None
    role: str = "response of the language model"
    prompts: Prompts = field(default_factory=Prompts)

    def __post_init__(self) -> None:
        arguments.engine(self.engine)
        arguments.texts(template=self.template)
        variables("system", *((self.system,) if self.system is not None else ()))

    async def __call__(self, fields: Mapping[str, Variable], place: str = "call") -> Variable:
        variables("fields", *fields.values())
        text = fill(self.template, **{name: variable.value for name, variable in fields.items()})
        seen = tuple(section(name, variable) for name, variable in fields.items() if variable.image)
        prompt = Prompt(self.system.value if self.system else "", seen, text)
        reply = await ask(self.engine, prompt, Role.ANSWER, place)
        sources = (*((self.system,) if self.system else ()), *fields.values())
        return Variable(reply.text, self.role, sources=sources, operation=self, usage=reply.usage)

    async def gradient(self, output: Variable, source: Variable, engine: Engine, place: str) -> Feedback | None:
        shown = tuple(section(node.role, node) for node in output.sources)
        sections = (Section("template", self.template), *shown, Section("response", output.value))
        return await explained(sections, output, source, engine, place, self.prompts)


@dataclass(frozen=True)
class Function:
    """Any Python function of the sources' values, with its purpose in words, since models cannot see inside it.

    Backward: `backward` where it is given; otherwise a model says what the sources should be, given the purpose, the
    output and the feedback on it.
    """

    function: Callable[..., str | Awaitable[str]]
    purpose: str
    role: str = "result of a function"
    backward: Backward | None = None
    prompts: Prompts = field(default_factory=Prompts)

    def __post_init__(self) -> None:
        arguments.functions(function=self.function)
        arguments.texts(purpose=self.purpose)

    def __call__(self, *sources: Variable) -> Variable:
        value = self.function(*(source.value for source in variables("sources", *sources)))
        if iscoroutine(value):
            value.close()
            raise UsageError(f'the function that "{self.purpose}" is async: await its run(…)')
        return self._made(value, sources)

    async def run(self, *sources: Variable) -> Variable:
        """The same without holding others up: an async function is awaited, any other runs in a thread."""
        call = partial(self.function, *(source.value for source in variables("sources", *sources)))
        value = call() if iscoroutinefunction(self.function) else await anyio.to_thread.run_sync(call)
        return self._made(await value if isawaitable(value) else value, sources)

    def _made(self, value: object, sources: tuple[Variable, ...]) -> Variable:
        return Variable(str(value), self.role, sources=sources, operation=self)

    async def gradient(self, output: Variable, source: Variable, engine: Engine, place: str) -> Feedback | None:
        shown = tuple(section(node.role, node) for node in output.sources)
        if self.backward is None:
            sections = (Section("function", self.purpose), *shown, Section("result", output.value))
            return await explained(sections, output, source, engine, place, self.prompts)
        said = self.backward(output, source)
        text = await said if isawaitable(said) else said
        return None if text is None else Feedback(text, shown)


@dataclass(frozen=True)
class Concatenation:
    """Its sources one after the other. Backward: each hears what the whole heard, word for word."""

    async def gradient(self, output: Variable, source: Variable, engine: Engine, place: str) -> Feedback | None:
        return _joined(output)


def concatenate(*sources: Variable, separator: str = "\n", role: str = "concatenation") -> Variable:
    """The sources' values one after the other. Backward: each hears what the whole heard, word for word."""
    value = separator.join(source.value for source in variables("sources", *sources))
    return Variable(value, role, sources=sources, operation=Concatenation())


@dataclass(frozen=True)
class Sum:
    """Evaluations together. Backward: each is walked as if it stood alone, once."""

    async def gradient(self, output: Variable, source: Variable, engine: Engine, place: str) -> Feedback | None:
        return _joined(output)


def total(losses: Sequence[Variable]) -> Variable:
    """The sum of losses: their evaluations together, and their scores. Backward: each is walked as if alone, once."""
    distinct = tuple(dict.fromkeys(arguments.several(Variable, "variables", "losses", losses)))
    scores = [loss.score for loss in distinct if loss.score is not None]
    value = "\n\n".join(loss.value for loss in distinct)
    score = sum(scores) if scores else None
    return Variable(value, "sum of evaluations", sources=distinct, operation=Sum(), score=score)


def _joined(output: Variable) -> Feedback:
    if not output.latest:
        return PASS
    context = dict.fromkeys(part for feedback in output.latest for part in feedback.context)
    return Feedback("\n\n".join(feedback.text for feedback in output.latest), tuple(context))


async def explained(
    sections: tuple[Section, ...], output: Variable, source: Variable, engine: Engine, place: str, prompts: Prompts
) -> Feedback | None:
    """What a model makes of the feedback on an output, for one of its sources, under the sections that show both."""
    # What the walk begins with has heard nothing: it is itself the evaluation.
    heard = feedback_section(output) or (Section("evaluation", output.value, whole=False),)
    prompt = Prompt(prompts["system"], (*sections, *heard), fill(prompts["gradient"], role=source.role))
    reply = await ask(engine, prompt, Role.GRADIENT, place)
    return Feedback(reply.text, sections, reply.usage) if reply.text.strip() else None
