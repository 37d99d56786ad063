"""What every strategy is made of: draft, evaluate, backward, step, gate. Each verb records what it did."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from refiner.autograd.backward import backward
from refiner.autograd.edits import Edited, apply_edits
from refiner.autograd.losses import TextLoss, verdict
from refiner.autograd.merge import merged
from refiner.autograd.optimizer import TextualGradientDescent
from refiner.autograd.prompt import Prompt, Section, ask
from refiner.autograd.reply import ending, extract
from refiner.autograd.variable import Variable
from refiner.domain.calls import Role
from refiner.domain.events import Candidate, Decision, Evaluation, Gradient
from refiner.domain.run import Phase, Verdict
from refiner.domain.state import ChainState, Step
from refiner.domain.task import Kind, Task
from refiner.prompts import Prompts, fill
from refiner.run.context import RunContext
from refiner.run.engines import StepEngine
from refiner.run.ledger import ExhaustedError
from refiner.strategies import gate
from refiner.strategies.judge import asking, wins
from refiner.strategies.report import failure
from refiner.strategies.shuffle import Shuffled, shuffled
from refiner.verify.equal import same_async
from refiner.verify.problem import problem
from refiner.verify.read import read
from refiner.verify.statement import statements

EXPLORING = 0.8
"""Temperature of a draft that has to differ from another one."""

LONGER = 1.5
"""How much longer than the one before an update may be that only a judge can compare."""

_FORMS = {
    Kind.CHOICE: 'the text of the reply, and a last line "Answer: X" with one option: its letter, if it has one',
    Kind.NUMBER: 'the text of the reply, and a last line "Answer: X" with the final result alone',
    Kind.TEXT: "the complete text alone",
    Kind.CODE: "the complete program in one fenced block",
}


def _read(text: str, task: Task, old: str | None) -> str | None:
    """What a reply says; edits and diffs are made on the old program."""
    edited = apply_edits(old, text) if old is not None and task.kind is Kind.CODE else None
    return edited.text if isinstance(edited, Edited) else read(text, task)


def _readable(text: str, *, task: Task, old: str) -> bool:
    # A rewrite that loses the "Answer:" of the old text is a comment on it, whatever number it ends with.
    stated = next(statements(old), None) is None or next(statements(text), None) is not None
    return _read(text, task, old) is not None and (stated or task.kind is Kind.CODE)


@dataclass(frozen=True, slots=True)
class Chain:
    """One chain of a run, as the verbs see it.

    judged: its answers are texts that only a judge can compare: critiques go by a rubric, and the gate asks the judge.
    """

    context: RunContext
    number: int
    prompts: Prompts
    judged: bool = False

    @property
    def state(self) -> ChainState:
        return self.context.state.chain(self.number)

    @property
    def current(self) -> Step:
        """The candidate that the next update starts from."""
        step = self.state.current
        assert step is not None  # noqa: S101
        return step

    async def draft(self, *, shuffle: bool = False, redraw: bool = False) -> Candidate:
        """The first candidate. shuffle: a choice shows its options in an order of the chain's own. redraw: a reply
        that cannot be read is drawn once more."""
        task = self.context.plan.task
        if task.program is not None:
            candidate = Candidate(self.number, 0, Phase.DRAFT, task.program, task.program)
            await self.gate(candidate)
            return candidate
        seen = shuffled(task, self.context.plan.seed + self.number) if shuffle else Shuffled(task, {})
        candidate = await self._drawn(seen, "0")
        if redraw and candidate.problem is not None:
            with suppress(ExhaustedError):  # what was paid for is better than nothing
                candidate = await self._drawn(seen, "1")
        await self.gate(candidate)
        return candidate

    async def evaluate(self, iteration: int, *, direct: bool) -> tuple[Variable, Variable, Evaluation]:
        """The current candidate as a variable, and its evaluation as one and as it is recorded."""
        step = self.current
        engine = self._engine(iteration)
        answer = Variable(step.candidate.text, "answer to the task")
        loss = TextLoss.at_test_time(
            engine, self._question(step), direct=direct, rubric=self.judged, prompts=self.prompts
        )
        evaluation = await loss(answer)
        disproved = step.candidate.problem is not None or (step.score is not None and step.score < 1.0)

        def found(critique: str) -> Verdict:
            said = verdict(critique)
            return Verdict.FLAWED if said is Verdict.CORRECT and disproved else said

        said = evaluation.value
        used = await self.context.criticised(
            Evaluation(self.number, step.candidate.index, found(said), said, iteration=iteration), found
        )
        evaluation.value = used.critique
        return answer, evaluation, used

    async def backward(self, evaluation: Variable, answer: Variable, iteration: int) -> None:
        """The evaluation as gradients of the answer."""
        await backward(evaluation, self._engine(iteration))
        text = "\n\n".join(gradient.text for gradient in answer.gradients)
        await self.context.record(Gradient(self.number, self.current.candidate.index, text, iteration))

    async def step(self, answer: Variable, iteration: int) -> Candidate:
        """The optimizer's rewrite, as the candidate after `iteration`."""
        task = self.context.plan.task
        optimizer = TextualGradientDescent(
            [answer],
            self._engine(iteration),
            readable=partial(_readable, task=task, old=answer.value),
            form=_FORMS[task.kind],
            prompts=self.prompts,
        )
        updates = await optimizer.propose()
        if not updates:
            return Candidate(self.number, iteration + 1, Phase.UPDATE, "", None, "empty")
        update = updates[0]
        return await self._candidate(iteration + 1, Phase.UPDATE, update.new, update.problem)

    def vetoed(self, iteration: int) -> Candidate:
        """The current candidate once more, for a critique that somebody struck out."""
        now = self.current.candidate
        return replace(now, index=iteration + 1, phase=Phase.UPDATE, parsed=None, problem="vetoed")  # agrees with none

    async def gate(self, candidate: Candidate) -> Decision:
        """The gate's word on a candidate, recorded together with it; a program is run against its tests in between."""
        current, suite = self.state.current, self.context.plan.task.suite
        before, best = (current.candidate, current.score) if current else (None, None)
        if suite is None or candidate.problem is not None:
            decision = gate.decide(candidate, before, best=best)
            if self.judged and before is not None and decision.accepted:
                decision = await self._judged(candidate, before)
            await self.context.record(candidate, decision)
            return decision
        await self.context.record(candidate)
        execution = await self.context.execute(candidate.chain, candidate.index, candidate.text, suite)
        decision = gate.decide(candidate, before, score=execution.score, best=best)
        await self.context.record(decision)
        return decision

    async def fuse(self, drafts: Sequence[Candidate]) -> Decision:
        """The drafts of several chains as one text, which is the first update of this chain."""
        shown = (Section(f"draft_{number}", draft.text) for number, draft in enumerate(drafts, 1))
        task = Section("task", self.context.plan.task.text)
        prompt = Prompt(self.prompts["system"], (task, *shown), self.prompts["fuse"], shared=1)
        reply = await ask(self._engine(0), prompt, Role.UPDATER, "fuse")
        text = extract(reply.text)
        wrong = problem(text, old=None, prompt=prompt.instruction, finish=ending(reply))
        return await self.gate(await self._candidate(1, Phase.UPDATE, text, wrong))

    async def _judged(self, candidate: Candidate, before: Candidate) -> Decision:
        def word(accepted: bool, reason: str) -> Decision:
            return Decision(candidate.chain, candidate.index, accepted, reason)

        if len(candidate.text) > LONGER * len(before.text):
            return word(False, "it is much longer than before, which judges like for no good reason")
        judge = asking(self._engine(candidate.index), self.context.plan.task.text, self.prompts)
        if await wins(judge, candidate.text, before.text):
            return word(True, "the judge prefers it to the one before, in both orders")
        return word(False, "the judge does not prefer it to the one before in both orders")

    def _question(self, step: Step) -> str:
        """The task as a critic sees it: with its tests, and what the candidate made of them."""
        task = self.context.plan.task
        tests = [text for _, text in task.suite.files] if task.suite else []
        told = [failure(step.execution)] if step.execution else []
        return "\n\n".join(part for part in (task.text, *tests, *told) if part)

    async def _drawn(self, seen: Shuffled, place: str) -> Candidate:
        plan = self.context.plan
        temperature = plan.temperature
        if temperature is None:
            temperature = EXPLORING if self.number or place != "0" else 0.0
        engine = StepEngine(self.context, self.number, 0, temperature)
        tests = [text for _, text in plan.task.suite.files] if plan.task.suite else []
        shown = [Section("task", seen.task.text), *(Section("tests", text, whole=False) for text in tests)]
        language = plan.task.suite.language if plan.task.suite else "python"
        instruction = fill(self.prompts[f"draft_{plan.task.kind}"], language=language.capitalize(), fence=language)
        refined = plan.iterations and not seen.original
        prompt = Prompt(self.prompts["system"], tuple(shown), instruction, shared=None if refined else 0)
        reply = await ask(engine, prompt, Role.ANSWER, place)
        text, parsed = reply.text.strip(), read(reply.text, seen.task)
        wrong = problem(text, old=None, prompt=prompt.instruction, finish=reply.finish, task=seen.task.text)
        if parsed is not None and seen.original:
            parsed, text = seen.original[parsed], seen.restore(text)
            if read(text, plan.task) != parsed:
                text += f"\n\nAnswer: {parsed}"
        return await self._candidate(0, Phase.DRAFT, text, wrong)

    async def _candidate(self, index: int, phase: Phase, text: str, wrong: str | None) -> Candidate:
        task = self.context.plan.task
        old = self.state.current.candidate.text if self.state.current else None
        parsed = _read(text, task, old) if wrong in (None, "unchanged") else None
        if task.kind is Kind.CODE and parsed is not None:
            python = task.suite is None or task.suite.language == "python"
            text = parsed = merged(old, parsed) if old and python else parsed
        if parsed is None and wrong is None:
            wrong = "unreadable"
        candidate = Candidate(self.number, index, phase, text, parsed, wrong)
        return replace(candidate, parsed=await self._first_seen(parsed)) if parsed is not None else candidate

    async def _first_seen(self, parsed: str) -> str:
        """The same answer as it was first written in this run, so that equal answers are equal texts."""
        kind, known = self.context.plan.task.kind, self.context.answers
        if kind is Kind.CODE:
            return parsed
        async with self.context.comparing:
            for other in known:
                if other == parsed or await same_async(parsed, other, kind):
                    return other
            known.append(parsed)
        return parsed

    def _engine(self, iteration: int) -> StepEngine:
        steps = self.state.steps
        stalled = len(steps) > 1 and not steps[-1].accepted
        # The same prompt again would bring the same reply: after a rejected update, look from another side.
        temperature = EXPLORING if stalled else 0.0
        return StepEngine(self.context, self.number, iteration, temperature)
