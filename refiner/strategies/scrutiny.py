"""After the visible tests pass: tests made apart, one adversarial critique, and a rewrite only if it is judged better.

Of programs that pass all visible tests a good part fail hidden ones; one more critique raised TextGrad's LeetCode
results from 40 to 47 of 105, while acting on a lone self-written test lowers them (2501.12793).
"""

from collections.abc import Sequence

from refiner.autograd.losses import verdict
from refiner.autograd.prompt import Section
from refiner.domain.calls import Role
from refiner.domain.code import Outcome, Suite
from refiner.domain.events import Decision, Evaluation
from refiner.domain.run import Verdict
from refiner.domain.state import Step
from refiner.run.ledger import ExhaustedError
from refiner.strategies.judge import wins
from refiner.strategies.programs import Workshop
from refiner.strategies.report import failure
from refiner.verify.asserts import asserts, calls


async def scrutinise(shop: Workshop, passing: Sequence[Step]) -> None:
    """Look again at programs that pass their tests; what is found is recorded, and an update has to win twice.

    At most five calls: tests, a critique, a rewrite, and two judgements in both orders; weak models only write tests,
    since what they say of a program is worth little (2509.00084). A budget that ends here leaves
    the programs as they are.
    """
    if not shop.context.plan.scrutiny or shop.language != "python":
        return  # no call of another language's program can be observed
    try:
        await _scrutinised(shop, passing)
    except ExhaustedError:
        return


async def _scrutinised(shop: Workshop, passing: Sequence[Step]) -> None:
    step = passing[0]
    made = await make_tests(shop, step)
    if made is not None:
        for other in passing:
            await shop.run(other.candidate, made, "made")
        again = [shop.recorded(other.candidate) for other in passing]
        doubted = sum(any(run.outcome is not Outcome.PASSED for run in other.made) for other in again)
        await shop.context.note(
            f"{len(again)} of this run's programs pass the tests, and {doubted} of them fail some that were made for it"
        )
        step = again[0]
    if not shop.context.capabilities(Role.CRITIC).strong:
        return  # "find the flaw" makes weak models flip right answers
    doubts = failure(step.made[0]) if step.made else ""
    sections = [Section("candidate", step.candidate.text)]
    if doubts:
        told = "Tests that were made for this without seeing the program, and may be wrong themselves:\n" + doubts
        sections.append(Section("doubts", told, whole=False))
    critique = (await shop.ask("critique", step, sections, "critique_code", Role.CRITIC)).text
    found = verdict(critique)
    place = step.candidate
    await shop.context.record(Evaluation(place.chain, place.index, found, critique, step.score, step.tests))
    if found is Verdict.FLAWED:
        await _contested(shop, step, critique, calls(made.files[0][1]) if made else ())


async def make_tests(shop: Workshop, step: Step, *, place: str = "tests", temperature: float = 0.0) -> Suite | None:
    """Tests for the task, written by a model that does not see the program; None where none can be read."""
    reply = await shop.ask(place, step, (), "tests_code", Role.CRITIC, temperature)
    lines = asserts(reply.text)
    suite = shop.task.suite
    module, folder = (suite.module, suite.folder) if suite else ("solution", None)
    return Suite((("test_made.py", "\n".join(lines) + "\n"),), module, folder=folder) if lines else None


async def _contested(shop: Workshop, step: Step, critique: str, inputs: Sequence[str]) -> None:
    """A rewrite after the critique replaces the program if it passes, behaves otherwise, and is judged right twice."""
    index = step.candidate.index + 1
    feedback = (Section("feedback", critique, whole=False),)
    candidate = await shop.rewritten(step, index, temperature=0.0, feedback=feedback)
    await shop.context.record(candidate)
    accepted, reason = False, "no other program can be read from it"
    suite = shop.task.suite
    if candidate.problem is None and suite is not None:
        execution = await shop.run(candidate, suite)
        if execution is None or execution.outcome is not Outcome.PASSED:
            reason = "it fails tests that the one before passes"
        else:
            accepted, reason = await _compared(shop, step, candidate.text, suite, [*inputs, *calls(critique)])
    await shop.context.record(Decision(candidate.chain, candidate.index, accepted, reason))


async def _compared(shop: Workshop, step: Step, new: str, suite: Suite, inputs: Sequence[str]) -> tuple[bool, str]:
    old = step.candidate.text
    before = await shop.context.observe(old, suite, inputs)
    after = await shop.context.observe(new, suite, inputs)
    told = next((line for line in zip(inputs, before, after, strict=True) if line[1] != line[2]), None)
    if told is None:
        return False, f"it gives the same results on {len(inputs)} inputs"
    call, one, other = told

    async def judge(place: str, first: str, second: str) -> str:
        shown = Section("call", f"{call}\nresult A: {first}\nresult B: {second}")
        return (await shop.ask(place, step, (shown,), "judge_code", Role.JUDGE)).text

    if not await wins(judge, other, one):
        return False, f"{call} gives {other} instead of {one}, and the judge does not prefer it in both orders"
    return True, f"{call} gives {other} instead of {one}, which the judge prefers in both orders"
