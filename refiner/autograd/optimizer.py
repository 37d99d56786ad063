"""Textual gradient descent: a variable is rewritten from the feedback that it has gathered."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from refiner.autograd.concurrent import gather
from refiner.autograd.prompt import Engine, Prompt, Section, ask
from refiner.autograd.reply import extract
from refiner.autograd.variable import Variable
from refiner.domain.calls import Finish, Role
from refiner.prompts import Prompts, fill
from refiner.verify.problem import problem

Reader = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Update:
    """A rewrite that was proposed for a variable.

    problem is None for one that may replace the old value; otherwise it says why not: unreadable, empty, truncated,
    echoed, unchanged.
    """

    variable: Variable
    old: str
    new: str
    problem: str | None = None

    def apply(self) -> bool:
        """Put the new value in place; an update with a problem leaves the old one and returns False."""
        if self.problem is None:
            self.variable.value = self.new
        return self.problem is None


@dataclass(slots=True)
class TextualGradientDescent:
    """The optimizer of text (TextGrad, 2406.07496): each parameter is rewritten by a model from its gradients.

    constraints: sentences that the new value must obey. examples: texts that show what a good value looks like.
    momentum: how many past values a prompt shows. memory: how many rounds of earlier feedback it shows.
    readable: whether a rewrite can be read as an answer; one that cannot gets one repair call, told `form`.
    """

    parameters: Sequence[Variable]
    engine: Engine
    constraints: Sequence[str] = ()
    examples: Sequence[str] = ()
    momentum: int = 0
    memory: int = 0
    readable: Reader = bool
    form: str = "the complete text between <improved> and </improved>"
    prompts: Prompts = field(default_factory=Prompts)
    _values: dict[int, list[str]] = field(default_factory=dict)
    _feedback: dict[int, list[str]] = field(default_factory=dict)

    def zero_grad(self) -> None:
        for parameter in self.parameters:
            parameter.zero_grad()

    async def propose(self, place: str = "step") -> list[Update]:
        """A rewrite for each parameter that has gradients, none applied yet; parameters go concurrently.

        Raises what the engine raises, never because of what a reply says.
        """
        due = [(index, parameter) for index, parameter in enumerate(self.parameters) if parameter.gradients]
        return await gather(*(partial(self._rewrite, parameter, f"{place}.{index}") for index, parameter in due))

    async def step(self, place: str = "step") -> list[Update]:
        """Propose and apply what has no problem."""
        updates = await self.propose(place)
        for update in updates:
            update.apply()
        return updates

    def prompt(self, variable: Variable) -> Prompt:
        """What a model is asked for the next value of a variable; the variable itself is always shown whole."""
        context = dict.fromkeys(section for feedback in variable.gradients for section in feedback.context)
        if not any(section.text == variable.value for section in context):
            context[Section("candidate", variable.value)] = None
        evaluations = {section.text for section in context if not section.whole}
        said = [feedback.text for feedback in variable.gradients if feedback.text not in evaluations]
        extra = {
            "feedback": said,
            "earlier_values": self._values.get(id(variable), [])[-self.momentum :] if self.momentum else [],
            "earlier_feedback": self._feedback.get(id(variable), [])[-self.memory :] if self.memory else [],
            "constraints": list(self.constraints),
            "examples": list(self.examples),
        }
        sections = tuple(
            Section(name, "\n\n".join(texts), whole=name in ("constraints", "examples"))
            for name, texts in extra.items()
            if texts
        )
        instruction = fill(self.prompts["update"], role=variable.role)
        return Prompt(self.prompts["system"], (*context, *sections), instruction, shared=len(context))

    async def _rewrite(self, variable: Variable, place: str) -> Update:
        prompt, old = self.prompt(variable), variable.value
        feedback = "\n\n".join(gradient.text for gradient in variable.gradients)
        reply = await ask(self.engine, prompt, Role.UPDATER, place, prediction=old)
        new = extract(reply.text, fenced="```" not in old)
        wrong = self._problem(new, old, prompt, reply.finish)
        if wrong == "unreadable":
            again = Prompt(
                self.prompts["system"],
                (Section("reply", new, whole=False),),
                fill(self.prompts["repair"], form=self.form),
                shared=0,
            )
            reply = await ask(self.engine, again, Role.REPAIR, place)
            new = extract(reply.text, fenced="```" not in old)
            wrong = self._problem(new, old, again, reply.finish)
        self._values.setdefault(id(variable), []).append(old)
        self._feedback.setdefault(id(variable), []).append(feedback)
        return Update(variable, old, new, wrong)

    def _problem(self, new: str, old: str, prompt: Prompt, finish: Finish) -> str | None:
        wrong = problem(new, old=old, prompt=prompt.instruction, finish=finish)
        return wrong or (None if self.readable(new) else "unreadable")
