"""`tune`: textual gradient descent on a prompt, from examples with right answers (2406.07496, section 3.3)."""

from dataclasses import dataclass

from refiner.autograd.concurrent import batch, scope
from refiner.autograd.losses import Check, CheckerLoss, flawless
from refiner.autograd.operations import ModelCall, total
from refiner.autograd.optimizer import TextualGradientDescent
from refiner.autograd.variable import Variable
from refiner.domain.code import Case, Execution, Outcome
from refiner.domain.events import Event, Executed
from refiner.domain.run import Stop
from refiner.domain.task import Task
from refiner.domain.tuning import Example
from refiner.prompts import Prompts
from refiner.run.context import RunContext
from refiner.run.engines import RunEngine
from refiner.strategies.descent import batches, descend
from refiner.verify.equal import same_async
from refiner.verify.read import read

ROLE = (
    "structured system prompt to a somewhat capable language model that specifies the behavior and strategies for "
    "the QA task"
)
GENERAL = "It instructs for every question of this kind: those above are examples, and their answers no part of it."
TEST = "test"
"""What the executions of the prompts on the test set are against."""


async def tune(context: RunContext, prompts: Prompts) -> Stop:
    """A step learns from the wrong answers of a batch, and is taken back where the validation falls.

    A resumed run goes through all of it again, and the journal answers what was asked before.
    """
    tuning = context.plan.tuning
    assert tuning is not None  # noqa: S101
    engine = RunEngine(context)
    prompt = Variable(context.plan.task.text, ROLE)
    asked = _Asked(ModelCall(engine, prompt, prompts=prompts))
    left = batches(tuning.train, tuning.batch, context.plan.seed, tuning.epochs)

    async def validation() -> float:
        with scope("validation"):
            found = await batch(asked.case, tuning.validation)
        return sum(case.outcome is Outcome.PASSED for case in found) / len(found)

    async def loss(_: int) -> Variable:
        for examples in left:
            losses = [one for one in await batch(asked.loss, examples) if one is not None]
            if losses:
                return total(losses)
        return flawless("every example that is left is answered right")

    async def test(index: int) -> Execution:
        with scope(str(index)), scope(TEST):
            cases = await batch(asked.case, tuning.test)
        wrong = next((case.outcome for case in cases if case.outcome is not Outcome.PASSED), Outcome.PASSED)
        await context.record(Executed(0, index, execution := Execution(wrong, tuple(cases)), TEST))
        return execution

    async def record(event: Event) -> None:
        await context.record(event)
        if event.place == "0/0/decision" and tuning.test:
            measured.append(await test(0))

    measured = list[Execution]()
    validated = validation if tuning.validation else None
    optimizer = TextualGradientDescent([prompt], engine, [GENERAL], validation=validated, prompts=prompts)
    descent = await descend(optimizer, loss, until=context.stop_at, record=record)
    best = context.state.chain(0).current
    if best is not None and tuning.test:
        prompt.value, index = best.candidate.text, best.candidate.index
        measured.append(await test(index) if index else measured[0])
        before, after = (f"{one.passed} of {one.total}" for one in measured)
        await context.note(f"of the test set {before} are right before, {after} after")
    return descent.stop


@dataclass(frozen=True)
class _Asked:
    """Examples as the model answers them under the prompt."""

    call: ModelCall

    async def case(self, example: Example) -> Case:
        _, found, right = await self._answered(example)
        return Case(example.id, Outcome.PASSED if right else Outcome.FAILED, actual=found, expected=example.answer)

    async def loss(self, example: Example) -> Variable | None:
        """What is wrong with the reply; None where it is right."""
        reply, found, right = await self._answered(example)
        if right:
            return None
        said = "No answer can be read from the response" if found is None else f"The response reads as {found!r}"
        return CheckerLoss(lambda _: Check(False, 0.0, f"{said}; the right answer is {example.answer!r}."))(reply)[0]

    async def _answered(self, example: Example) -> tuple[Variable, str | None, bool]:
        query = Variable(example.question, "query to the language model", requires_grad=False)
        reply = await self.call(query)
        found = read(reply.value, Task(example.question, example.kind, example.options))
        return reply, found, found is not None and await same_async(found, example.answer, example.kind)
