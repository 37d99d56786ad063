"""The verbs of a code task: take what is given, draft, mend, run. Each records what it did."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

from refiner.autograd.edits import Edited, apply_edits
from refiner.autograd.merge import merged
from refiner.autograd.prompt import Prompt, Section, ask
from refiner.domain.calls import Finish, Reply, Role
from refiner.domain.code import Execution, Suite
from refiner.domain.events import Candidate
from refiner.domain.run import Phase
from refiner.domain.state import Step
from refiner.domain.task import Task
from refiner.prompts import Prompts, fill
from refiner.run.context import RunContext
from refiner.run.engines import StepEngine
from refiner.strategies import gate
from refiner.strategies.report import failure
from refiner.verify.program import code_problem, outline, program
from refiner.verify.syntax import undocumented
from refiner.verify.trim import without_documentation, without_tests

DESCRIPTION = 12
"""Words; a shorter text asks for a repair, and does not say what the program is to do."""
ROOM = 400
"""Tokens beside the program in a reply: a sentence, fences, what is new."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """A code task's run as the verbs see it; a step comes back as it is recorded: run, and judged by the gate.

    A verb that is repeated after a crash finds all that it had recorded, so a strategy may simply be run again.
    """

    context: RunContext
    prompts: Prompts

    @property
    def task(self) -> Task:
        return self.context.plan.task

    @property
    def language(self) -> str:
        return (self.task.suite or Suite()).language

    @property
    def documented(self) -> bool:
        """Whether a draft has more to be written from than tests: a description, or docstrings of the given program."""
        return self.task.program is None or '"""' in (self._outline() or "")

    @property
    def anew(self) -> bool:
        """Whether drafts come first: a weak model that is to mend a program gives it back as it is."""
        return self.documented and not self.context.capabilities(Role.ANSWER).strong

    def _outline(self) -> str | None:
        """That of the given program, with the task's text for documentation where it says what a function does."""
        return outline(self.task.program or "", dict.fromkeys(self._described, self.task.text))

    @property
    def _described(self) -> tuple[str, ...]:
        """The undocumented function that the task's text is about, where it says more than that it is to be mended."""
        suite = self.task.suite or Suite()
        names = (suite.entry_point,) if suite.entry_point else suite.names
        known = len(names) == 1 and len(self.task.text.split()) >= DESCRIPTION
        return names if known and names[0] in undocumented(self.task.program or "") else ()

    async def given(self) -> Step | None:
        """The program that the task came with, as the draft of chain 0; None where there is none."""
        if self.task.program is None:
            return None
        return await self.tried(Candidate(0, 0, Phase.DRAFT, self.task.program, self.task.program), None)

    async def first(self, chain: int, given: Step | None, temperature: float) -> Step:
        """The draft of a chain as it is most likely to be of use: written anew, or the given program mended."""
        if given is None or self.anew:
            return await self.draft(chain, temperature=temperature)
        return await self.fix(chain, given, temperature=temperature)

    async def draft(self, chain: int, *, temperature: float, dead_ends: Sequence[str] = ()) -> Step:
        """A program written from what the task says, the given one's signatures and documentation included."""
        # A weak model copies the tests that it is shown; where the documentation says what is wanted, that is enough.
        alone = self.task.program is not None and self.anew
        shape = self._outline() if alone else outline(self.task.program or "")
        shown = (Section("outline", f"```python\n{shape}\n```"),) if shape else ()
        about = () if alone else self._about()
        prompt = self._prompt((*about, *shown, *_dead(dead_ends)), "complete_code" if alone else "draft_code")
        reply = await ask(self.engine(chain, 0, temperature), prompt, Role.ANSWER, "draft")
        return await self.tried(self._candidate(chain, 0, reply, prompt, None, self._described if alone else ()), None)

    async def fix(self, chain: int, given: Step, *, temperature: float, dead_ends: Sequence[str] = ()) -> Step:
        """The given program mended, as the draft of a chain of its own."""
        engine = self.engine(chain, 0, temperature)
        return await self.tried(await self._mended(engine, given, _dead(dead_ends), Role.ANSWER), None)

    async def mend(self, current: Step, index: int, *, temperature: float) -> Step:
        """The next candidate of a chain: its current program mended from the case that it fails."""
        return await self.tried(await self.rewritten(current, index, temperature=temperature), current)

    async def rewritten(
        self, current: Step, index: int, *, temperature: float, feedback: Sequence[Section] = ()
    ) -> Candidate:
        """A program mended, not yet recorded or run."""
        engine = self.engine(current.candidate.chain, index, temperature)
        return await self._mended(engine, current, feedback, Role.UPDATER)

    async def tried(self, candidate: Candidate, current: Step | None) -> Step:
        """A candidate recorded, run against the task's tests, and judged against the current one of its chain."""
        await self.context.record(candidate)
        execution = await self.run(candidate, self.task.suite) if self.task.suite else None
        decision = gate.decide(
            candidate,
            current.candidate if current else None,
            score=execution.score if execution else None,
            best=current.score if current else None,
            strictly=True,
        )
        await self.context.record(decision)
        return self.recorded(candidate)

    async def run(self, candidate: Candidate, suite: Suite, against: str = "tests") -> Execution | None:
        """The candidate's program against tests; None where it is none, or says only what one before it said."""
        if candidate.problem is not None:
            return None
        return await self.context.execute(candidate.chain, candidate.index, candidate.text, suite, against)

    def recorded(self, candidate: Candidate) -> Step:
        return self.context.state.chain(candidate.chain).steps[candidate.index]

    async def ask(
        self, place: str, of: Step, sections: Sequence[Section], template: str, role: Role, temperature: float = 0.0
    ) -> Reply:
        """A call about the task that belongs to a step; the sections follow task and tests."""
        engine = self.engine(of.candidate.chain, of.candidate.index, temperature)
        return await ask(engine, self._prompt((*self._about(), *sections), template), role, place)

    def engine(self, chain: int, index: int, temperature: float) -> StepEngine:
        own = self.context.plan.temperature
        return StepEngine(self.context, chain, index, temperature if own is None else own, self._most())

    def _most(self) -> int | None:
        """Tokens that a weak model's program may have: once off the track it repeats itself up to whatever it is given.

        None for strong models, which may think first, where there is no program to go by, and once a reply was cut.
        """
        given, chains = self.task.program, self.context.state.chains.values()
        cut = any(step.candidate.problem == "truncated" for chain in chains for step in chain.steps)
        if given is None or cut or self.context.capabilities(Role.ANSWER).strong:
            return None
        return 2 * len(given) // 3 + ROOM  # about three characters to a token

    async def _mended(self, engine: StepEngine, current: Step, said: Sequence[Section], role: Role) -> Candidate:
        """The current program after its edits where it is long, and written anew where it is short or they fail."""
        old = current.candidate.text
        sections = (*self._about(), *_shown(current), *said)
        if old.count("\n") > self.context.plan.edit_above:
            edited = await self._edited(engine, old, sections, role)
            if edited is not None:
                return _candidate_of(engine.chain, engine.iteration, edited, None)
        reasoned = self.context.capabilities(role).strong  # a weak model says what is wrong and leaves it at that
        prompt = self._prompt(sections, "mend_code_reasoned" if reasoned else "mend_code")
        reply = await ask(engine, prompt, role, "mend", prediction=old)
        made = apply_edits(old, reply.text)  # some models answer with edits or a diff whatever they are asked for
        if isinstance(made, Edited) and reply.finish is not Finish.LENGTH:
            return _candidate_of(engine.chain, engine.iteration, made.text, None)
        return self._candidate(engine.chain, engine.iteration, reply, prompt, old)

    async def _edited(self, engine: StepEngine, old: str, sections: tuple[Section, ...], role: Role) -> str | None:
        """The program with the edits of a reply, which get one repair; None where they cannot be made."""
        instruction = fill(self.prompts["edit"], role="candidate")
        for place in ("edit", "edit.again"):
            prompt = Prompt(self._words("system_code"), sections, instruction)
            reply = await ask(engine, prompt, role, place)
            edited = apply_edits(old, reply.text)
            if isinstance(edited, Edited):
                return edited.text
            again = fill(self.prompts["edit_again"], role="candidate", problem=edited.message)
            sections = (*sections, Section("reply", reply.text, whole=False))
            instruction = f"{fill(self.prompts['edit'], role='candidate')}\n\n{again}"
        return None

    def _prompt(self, sections: tuple[Section, ...], template: str) -> Prompt:
        return Prompt(self._words("system_code"), sections, self._words(template))

    def _words(self, template: str) -> str:
        return fill(self.prompts[template], language=self.language.capitalize(), fence=self.language)

    def _about(self) -> tuple[Section, ...]:
        sections = [Section("task", self.task.text)]
        if self.task.suite is not None and self.task.suite.files:
            shown = "\n\n".join(text.strip() for _, text in self.task.suite.files)
            sections.append(Section("tests", shown, whole=False))
        return tuple(sections)

    def _candidate(
        self, chain: int, index: int, reply: Reply, prompt: Prompt, old: str | None, described: Sequence[str] = ()
    ) -> Candidate:
        """described: functions whose documentation was the task's text, which is no part of the program."""
        suite = self.task.suite or Suite()
        found = program(reply.text, language=suite.language, names=suite.names)
        wrong = code_problem(
            reply.text,
            old=old,
            prompt=prompt.instruction,
            finish=reply.finish,
            language=suite.language,
            names=suite.names,
        )
        if found is not None and suite.language == "python":
            found = without_tests(found, suite)
            base = old or self.task.program
            found = reduce(without_documentation, described, found)
            found = merged(base, found) if base else found
        return _candidate_of(chain, index, found or reply.text.strip(), wrong)


def _candidate_of(chain: int, index: int, text: str, wrong: str | None) -> Candidate:
    parsed = text if wrong in (None, "unchanged") else None
    return Candidate(chain, index, Phase.UPDATE if index else Phase.DRAFT, text, parsed, wrong)


def _shown(step: Step) -> tuple[Section, ...]:
    sections = [Section("candidate", step.candidate.text)]
    if step.execution is not None and (told := failure(step.execution)):
        sections.append(Section("failure", told, whole=False))
    return tuple(sections)


def _dead(lines: Sequence[str]) -> tuple[Section, ...]:
    told = "Programs that were tried before fail so:\n" + "\n".join(f"- {line}" for line in lines)
    return (Section("dead_ends", told, whole=False),) if lines else ()
