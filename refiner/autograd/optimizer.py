"""Textual gradient descent: a variable is rewritten from the feedback that it has gathered."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import takewhile

from refiner.autograd import arguments
from refiner.autograd.concurrent import gather
from refiner.autograd.constraints import Constraint, changed, violations
from refiner.autograd.prompt import Engine, Prompt, Section, ask
from refiner.autograd.reply import ending, extract
from refiner.autograd.variable import Variable
from refiner.domain.calls import Reply, Role, Usage
from refiner.domain.errors import UsageError
from refiner.prompts import Prompts, fill
from refiner.verify.problem import problem

Reader = Callable[[str], bool]
Validation = Callable[[], Awaitable[float]]
"""How good the parameters are as they stand: an accuracy on a validation set, for one."""


@dataclass(frozen=True, slots=True)
class Update:
    """A rewrite that was proposed for a variable.

    problem is None for one that may replace the old value; otherwise it says why not: unreadable, empty, truncated,
    echoed, unchanged, constraint, too much, or worse for one that was taken back after validation. reason: the same as
    a sentence, where a word is not enough. usage: what the rewrite and its repair cost.
    """

    variable: Variable
    old: str
    new: str
    problem: str | None = None
    reason: str = ""
    usage: Usage = field(default_factory=Usage)

    def apply(self) -> bool:
        """Put the new value in place; an update with a problem leaves the old one and returns False."""
        if self.problem is None:
            self.variable.value = self.new
        return self.problem is None

    def revert(self) -> None:
        self.variable.value = self.old


@dataclass(slots=True)
class TextualGradientDescent:
    """The optimizer of text (TextGrad, 2406.07496): each parameter is rewritten by a model from its gradients.

    constraints: rules that the new value must obey, in words; a Constraint is also checked. examples: texts that show
    what a good value looks like. momentum: how many past values a prompt shows. memory: how many rounds of earlier
    feedback it shows. rate: the most that one step may change of a text, as an edit distance from 0 to 1 of its length.
    readable: whether a rewrite can be read as an answer, `form` says as what. A rewrite that cannot be read, breaks a
    constraint or changes too much gets one repair call, and is rejected when that does not mend it.
    validation: how good the parameters are; a step that makes it worse is taken back. maximise: whether more of it is
    better.
    """

    parameters: Sequence[Variable]
    engine: Engine
    constraints: Sequence[str | Constraint] = ()
    examples: Sequence[str] = ()
    momentum: int = 0
    memory: int = 0
    rate: float | None = None
    readable: Reader = bool
    form: str = "the complete text between <improved> and </improved>"
    validation: Validation | None = None
    maximise: bool = True
    prompts: Prompts = field(default_factory=Prompts)
    validated: float | None = None
    """What the parameters came to in the last validation that they passed."""
    _values: dict[int, list[str]] = field(default_factory=dict)
    _feedback: dict[int, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        given = arguments.several(Variable, "variables", "parameters", self.parameters)
        self.parameters = tuple(dict.fromkeys(given))
        self.constraints = arguments.several((str, Constraint), "rules", "constraints", self.constraints)
        self.examples = arguments.several(str, "texts", "examples", self.examples)
        arguments.counts(0, momentum=self.momentum, memory=self.memory)
        arguments.functions(readable=self.readable, validation=self.validation or self.validate)
        if self.rate is not None:
            share = isinstance(self.rate, float | int) and 0 < self.rate <= 1
            arguments.checked(share, "rate", self.rate, "a share of the text, above 0 and at most 1")
        for parameter in self.parameters:
            if parameter.image:
                raise UsageError(f"the {parameter.role} is an image: feedback changes texts alone")
        arguments.engine(self.engine)

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
        """Propose and apply what has no problem, all parameters together; take all of it back if validation falls.

        The first step with a validation validates the values as they were before it, too. Raises what the engine and
        the validation raise; the values are then as they were.
        """
        await self.validate()
        before, updates = self.validated, await self.propose(place)
        applied = [update for update in updates if update.apply()]
        if self.validation is None or before is None or not applied:
            return updates
        passed = False
        try:
            score = await _measured(self.validation)
            passed = score >= before if self.maximise else score <= before
        finally:
            if not passed:
                for update in applied:
                    update.revert()
        if passed:
            self.validated = score
            return updates
        reason = f"validation went from {before:g} to {score:g}"
        return [replace(one, problem="worse", reason=reason) if one in applied else one for one in updates]

    async def validate(self) -> float | None:
        """How good the parameters are as they stand, the more the better; None without a validation."""
        if self.validation and self.validated is None:
            self.validated = await _measured(self.validation)
        return self.validated if self.validated is None or self.maximise else -self.validated

    def prompt(self, variable: Variable) -> Prompt:
        """What a model is asked for the next value of a variable; the variable itself is always shown whole."""
        heard = variable.heard
        alike = takewhile(lambda parts: len(set(parts)) == 1, zip(*(one.context for one in heard), strict=False))
        context = [part for part, *_ in alike]
        shared = len(context)
        if not any(part.text == variable.value for one in heard for part in one.context):
            context.append(Section("candidate", variable.value))
        cases: dict[tuple[Section, ...], list[str]] = {}
        for one in heard:
            said = cases.setdefault(one.context[shared:], [])
            if not any(part.text == one.text for part in one.context if not part.whole):
                said.append(one.text)
        extra = {
            "earlier_values": self._values.get(id(variable), [])[-self.momentum :] if self.momentum else [],
            "earlier_feedback": self._feedback.get(id(variable), [])[-self.memory :] if self.memory else [],
            "constraints": [str(constraint) for constraint in self.constraints],
            "examples": list(self.examples),
        }
        if self.rate is not None:
            extra["constraints"].append(f"change at most {self.rate:.0%} of the text, and leave the rest word for word")
        sections = tuple(
            Section(name, "\n\n".join(texts), whole=name in ("constraints", "examples"))
            for name, texts in extra.items()
            if texts
        )
        instruction = fill(self.prompts["update"], role=variable.role)
        shown = (*context, *_shown(cases), *sections)
        return Prompt(self.prompts["system"], shown, instruction, shared=len(context))

    async def _rewrite(self, variable: Variable, place: str) -> Update:
        prompt, old = self.prompt(variable), variable.value
        feedback = "\n\n".join(gradient.text for gradient in variable.gradients)
        reply = await ask(self.engine, prompt, Role.UPDATER, place, prediction=old)
        update = self._read(variable, reply, prompt)
        if again := self._repair(update):
            reply = await ask(self.engine, again, Role.REPAIR, place)
            mended = self._read(variable, reply, again)
            update = replace(mended, usage=update.usage + mended.usage)
        variable.usage += update.usage
        self._values.setdefault(id(variable), []).append(old)
        self._feedback.setdefault(id(variable), []).append(feedback)
        return update

    def _read(self, variable: Variable, reply: Reply, prompt: Prompt) -> Update:
        old = variable.value
        new = extract(reply.text, fenced="```" not in old)
        wrong, reason = problem(new, old=old, prompt=prompt.instruction, finish=ending(reply)), ""
        if wrong is None and not self.readable(new):
            wrong = "unreadable"
        if wrong is None and (broken := list(violations(self.constraints, new))):
            wrong, reason = "constraint", ", and ".join(broken)
        if wrong is None and self.rate is not None and (much := changed(old, new)) > self.rate:
            wrong, reason = "too much", f"it changes {much:.0%} of the text, and at most {self.rate:.0%} may change"
        return Update(variable, old, new, wrong, reason, reply.usage)

    def _repair(self, update: Update) -> Prompt | None:
        """What a model is asked once where that may mend an update."""
        said = Section("reply", update.new, whole=False)
        if update.problem == "unreadable":
            return Prompt(self.prompts["system"], (said,), fill(self.prompts["repair"], form=self.form), shared=0)
        if not update.reason:
            return None
        old = Section("candidate", update.old)
        rules = Section("constraints", "\n\n".join(map(str, self.constraints)))
        sections = (old, *((rules,) if self.constraints else ()), said)
        text = fill(self.prompts["again"], role=update.variable.role, reason=update.reason)
        return Prompt(self.prompts["system"], sections, text, shared=0)


def _shown(cases: Mapping[tuple[Section, ...], Sequence[str]]) -> Iterator[Section]:
    """What each case consists of, and the feedback on it below."""
    for number, (context, said) in enumerate(cases.items(), 1):
        if len(cases) > 1:
            yield Section("", f"Case {number} of {len(cases)}:")
        yield from context
        if said:
            yield Section("feedback", "\n\n".join(said), whole=False)


async def _measured(validation: Validation) -> float:
    return arguments.number("validation", await arguments.awaited("validation", validation()))
