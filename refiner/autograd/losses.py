"""Textual losses: what is wrong with a variable, said by a model or found by a program."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Self

from refiner.autograd import arguments
from refiner.autograd.operations import explained, feedback_section
from refiner.autograd.prompt import Engine, Prompt, Section, ask
from refiner.autograd.variable import Feedback, Variable, section, variables
from refiner.domain.calls import Role
from refiner.domain.run import Verdict
from refiner.prompts import Prompts, fill

_FLAWLESS = "Verdict: correct, change nothing"
_VERDICT = re.compile(r"verdict\W{0,6}(correct|flawed|incorrect|wrong)\b", re.IGNORECASE)
_CORRECT = re.compile(r"(?:(\bnot|n['’]t)\s+(?:\w+\s+)?)?\bcorrect,? change nothing\b", re.IGNORECASE)


def verdict(critique: str) -> Verdict:
    """What an evaluation comes to: its last verdict counts, and without one it is a critique of something flawed."""
    if not critique.strip():
        return Verdict.UNREADABLE
    found = _VERDICT.findall(critique)
    if found:
        return Verdict.CORRECT if found[-1].lower() == "correct" else Verdict.FLAWED
    denied = _CORRECT.findall(critique)
    return Verdict.CORRECT if denied and not denied[-1] else Verdict.FLAWED


def flawless(said: str, score: float | None = None) -> Variable:
    """An evaluation that finds nothing to change, and so brings nobody feedback."""
    return Variable(f"{said}\n{_FLAWLESS}", "evaluation", score=score)


@dataclass(frozen=True)
class TextLoss:
    """A model's evaluation of one or several variables.

    instruction: the last part of the prompt; `{role}` stands for the roles of the variables. context: sections that
    come before the variables in every prompt, such as the task. direct: the evaluation is itself the gradient, which
    saves a call; otherwise a second call turns it into feedback (TextGrad's protocol).
    """

    engine: Engine
    instruction: str
    context: tuple[Section, ...] = ()
    direct: bool = False
    prompts: Prompts = field(default_factory=Prompts)

    def __post_init__(self) -> None:
        arguments.engine(self.engine)
        arguments.texts(instruction=self.instruction)

    @classmethod
    def by(cls, engine: Engine, instruction: str, *, direct: bool = False, prompts: Prompts | None = None) -> Self:
        """The loss that an instruction in words describes, with a way out for what needs no change."""
        arguments.texts(instruction=instruction)
        prompts = prompts or Prompts()
        return cls(engine, fill(prompts["loss"], instruction=instruction), (), direct, prompts)

    @classmethod
    def at_test_time(
        cls, engine: Engine, task: str, *, direct: bool = False, rubric: bool = False, prompts: Prompts | None = None
    ) -> Self:
        """The loss of an answer while it is being asked for: neutral, with an explicit way out.

        rubric: the critique first says what a good answer has to do, and goes by that; it is itself the gradient.
        "Find the flaw" prompts flip right answers (Huang et al., 2310.01798); "correct, change nothing" ends a chain.
        """
        prompts = prompts or Prompts()
        instruction = prompts["critique_rubric" if rubric else "critique_gradient" if direct else "critique"]
        return cls(engine, instruction, (Section("task", task),), direct or rubric, prompts)

    async def __call__(self, variable: Variable, *, name: str = "candidate", place: str = "loss") -> Variable:
        return await self.fields({name: variable}, place=place)

    async def image(self, image: Variable, question: Variable, answer: Variable, *, place: str = "loss") -> Variable:
        """The evaluation of an answer to a question about an image, by a model that sees it."""
        return await self.fields({"question": question, "image": image, "answer": answer}, place=place)

    async def fields(self, fields: Mapping[str, Variable], *, place: str = "loss") -> Variable:
        """The evaluation of several variables under the names that the instruction calls them by: of those that
        feedback may change, the others are what they are evaluated by."""
        arguments.checked(variables("fields", *fields.values()), "fields", fields, "a variable or more")
        sections = (*self.context, *(section(name, variable) for name, variable in fields.items()))
        judged = [variable for variable in fields.values() if variable.requires_grad] or [*fields.values()]
        roles = " and the ".join(variable.role for variable in judged)
        prompt = Prompt(self.prompts["system"], sections, fill(self.instruction, role=roles))
        reply = await ask(self.engine, prompt, Role.CRITIC, place)
        operation = _Evaluation(self, sections)
        sources = tuple(fields.values())
        return Variable(reply.text, "evaluation", sources=sources, operation=operation, usage=reply.usage)


@dataclass(frozen=True)
class _Evaluation:
    loss: TextLoss
    sections: tuple[Section, ...]

    async def gradient(self, output: Variable, source: Variable, engine: Engine, place: str) -> Feedback | None:
        evaluation = Section("evaluation", output.value, whole=False)
        heard = feedback_section(output)
        if self.loss.direct and not heard:
            return Feedback(output.value, self.sections)
        instruction = fill(self.loss.prompts["gradient"], role=source.role)
        prompt = Prompt(self.loss.prompts["system"], (*self.sections, evaluation, *heard), instruction)
        reply = await ask(engine, prompt, Role.GRADIENT, place)
        text = reply.text.strip() or output.value
        return Feedback(text, (*self.sections, evaluation), reply.usage)


@dataclass(frozen=True)
class Check:
    """What a deterministic checker found: whether all is well, a score from 0 to 1, and a message."""

    passed: bool
    score: float
    message: str


@dataclass(frozen=True)
class CheckerLoss:
    """A program's evaluation of one variable: no model call forward, and none backward."""

    checker: Callable[[str], Check]

    def __post_init__(self) -> None:
        arguments.functions(checker=self.checker)

    def __call__(self, variable: Variable) -> tuple[Variable, Check]:
        variables("sources", variable)
        check = self.checker(variable.value)
        arguments.checked(isinstance(check, Check), "what checker came to", check, "a function to a Check")
        value = f"{check.message}\n{_FLAWLESS if check.passed else 'Verdict: flawed'}"
        made = Variable(value, "result of the check", sources=(variable,), operation=self, score=check.score)
        return made, check

    async def gradient(self, output: Variable, source: Variable, engine: Engine, place: str) -> Feedback | None:
        texts = (output.value, *(feedback.text for feedback in output.latest))
        return Feedback("\n\n".join(texts), (Section("candidate", source.value),))


@dataclass(frozen=True)
class NumericLoss:
    """A number that a program finds in one variable, to be maximised or minimised.

    goal: what it measures, in words. explained: a model says how the variable should change for a better number;
    otherwise the number and the way that it should go are themselves the gradient, which costs no call.
    """

    measure: Callable[[str], float]
    goal: str
    maximise: bool = True
    explained: bool = False
    prompts: Prompts = field(default_factory=Prompts)

    def __post_init__(self) -> None:
        arguments.functions(measure=self.measure)
        arguments.texts(goal=self.goal)

    def __call__(self, variable: Variable) -> Variable:
        variables("sources", variable)
        number = arguments.number("measure", self.measure(variable.value))
        value = f"{self.goal}: {number:g} ({'higher' if self.maximise else 'lower'} is better)"
        score = number if self.maximise else -number
        return Variable(value, "measurement", sources=(variable,), operation=self, score=score)

    async def gradient(self, output: Variable, source: Variable, engine: Engine, place: str) -> Feedback | None:
        candidate = Section("candidate", source.value)
        if not self.explained:
            texts = (output.value, *(feedback.text for feedback in output.latest))
            return Feedback("\n\n".join(texts), (candidate,))
        return await explained((candidate,), output, source, engine, place, self.prompts)
