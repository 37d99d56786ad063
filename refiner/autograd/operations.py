"""Operations: how a variable is made (forward), and what its sources hear of it (backward), side by side."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from refiner.autograd.prompt import Engine, Prompt, Section, ask
from refiner.autograd.variable import PASS, Feedback, Variable
from refiner.domain.calls import Role
from refiner.prompts import Prompts, fill


def feedback_section(output: Variable) -> tuple[Section, ...]:
    """What an output has heard itself, as a section that may be cut."""
    if not output.gradients:
        return ()
    return (Section("feedback", "\n\n".join(feedback.text for feedback in output.gradients), whole=False),)


@dataclass(frozen=True)
class ModelCall:
    """A model's reply to one variable, under a system variable where there is one.

    Backward: the system and the input hear how they should change, given the feedback on the reply.
    """

    engine: Engine
    system: Variable | None = None
    role: str = "response of the language model"
    prompts: Prompts = field(default_factory=Prompts)

    async def __call__(self, source: Variable, place: str) -> Variable:
        prompt = Prompt(self.system.value if self.system else "", (), source.value)
        reply = await ask(self.engine, prompt, Role.ANSWER, place)
        sources = (self.system, source) if self.system else (source,)
        return Variable(reply.text, self.role, sources=sources, operation=self)

    async def gradient(self, output: Variable, source: Variable, engine: Engine, place: str) -> Feedback | None:
        names = ("system prompt", "input") if self.system else ("input",)
        shown = tuple(
            Section(name.replace(" ", "_"), node.value) for name, node in zip(names, output.sources, strict=True)
        )
        sections = (*shown, Section("response", output.value))
        return await _explained(sections, output, source, engine, place, self.prompts)


@dataclass(frozen=True)
class FormattedModelCall:
    """A model's reply to a template whose `{name}` fields are variables; any other brace is plain text.

    Backward: every field hears how it should change, given the feedback on the reply.
    """

    engine: Engine
    template: str
    system: str = ""
    role: str = "response of the language model"
    prompts: Prompts = field(default_factory=Prompts)

    async def __call__(self, fields: Mapping[str, Variable], place: str) -> Variable:
        text = fill(self.template, **{name: variable.value for name, variable in fields.items()})
        reply = await ask(self.engine, Prompt(self.system, (), text), Role.ANSWER, place)
        return Variable(reply.text, self.role, sources=tuple(fields.values()), operation=self)

    async def gradient(self, output: Variable, source: Variable, engine: Engine, place: str) -> Feedback | None:
        shown = tuple(Section(node.role.replace(" ", "_"), node.value) for node in output.sources)
        sections = (Section("template", self.template), *shown, Section("response", output.value))
        return await _explained(sections, output, source, engine, place, self.prompts)


@dataclass(frozen=True)
class Function:
    """Any Python function of the sources' values, with its purpose in words, since models cannot see inside it.

    Backward: a model says what the sources should be, given the purpose, the output and the feedback on it.
    """

    function: Callable[..., str]
    purpose: str
    role: str = "result of a function"
    prompts: Prompts = field(default_factory=Prompts)

    def __call__(self, *sources: Variable) -> Variable:
        value = self.function(*(source.value for source in sources))
        return Variable(value, self.role, sources=sources, operation=self)

    async def gradient(self, output: Variable, source: Variable, engine: Engine, place: str) -> Feedback | None:
        shown = tuple(Section(node.role.replace(" ", "_"), node.value) for node in output.sources)
        sections = (Section("function", self.purpose), *shown, Section("result", output.value))
        return await _explained(sections, output, source, engine, place, self.prompts)


@dataclass(frozen=True)
class _Concatenation:
    separator: str

    async def gradient(self, output: Variable, source: Variable, engine: Engine, place: str) -> Feedback | None:
        return output.gradients[0] if len(output.gradients) == 1 else _joined(output)


def concatenate(*sources: Variable, separator: str = "\n", role: str = "concatenation") -> Variable:
    """The sources' values one after the other. Backward: each hears what the whole heard, word for word."""
    value = separator.join(source.value for source in sources)
    return Variable(value, role, sources=sources, operation=_Concatenation(separator))


@dataclass(frozen=True)
class _Sum:
    async def gradient(self, output: Variable, source: Variable, engine: Engine, place: str) -> Feedback | None:
        return _joined(output)


def total(losses: list[Variable]) -> Variable:
    """The sum of losses: their evaluations together. Backward: each loss is walked as if it stood alone, once."""
    distinct = tuple(dict.fromkeys(losses))
    value = "\n\n".join(loss.value for loss in distinct)
    return Variable(value, "sum of evaluations", sources=distinct, operation=_Sum())


def _joined(output: Variable) -> Feedback:
    if not output.gradients:
        return PASS
    return Feedback("\n\n".join(feedback.text for feedback in output.gradients))


async def _explained(
    sections: tuple[Section, ...], output: Variable, source: Variable, engine: Engine, place: str, prompts: Prompts
) -> Feedback | None:
    heard = feedback_section(output)
    if not heard:
        return PASS
    prompt = Prompt(prompts["system"], (*sections, *heard), fill(prompts["gradient"], role=source.role))
    reply = await ask(engine, prompt, Role.GRADIENT, place)
    return Feedback(reply.text, sections) if reply.text.strip() else None
