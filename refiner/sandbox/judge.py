"""Runs a program against its tests: the tests in one cell, the program in another, and this process between them.

What the program's cell says is passed on unread to the tests' cell, and only when that one has asked for it. What
became of the tests is taken from the tests' cell alone.
"""

import ast
import shlex
import time
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import MAGIC_NUMBER

from refiner.domain.code import Case, Execution, Outcome, Suite
from refiner.domain.errors import UsageError
from refiner.sandbox.cell import Sandbox
from refiner.sandbox.suites import Plan, recognise
from refiner.sandbox.trial import Trial, printed

SECONDS = 8.0
"""What a suite may take when nobody says otherwise."""


async def judge(
    sandbox: Sandbox, source: str, suite: Suite, *, seed: int = 0, seconds: float | None = None
) -> Execution:
    """Run the program's source against the suite; seconds of wall time.

    Raises UsageError for tests that cannot be run (they do not parse, assert nothing, miss a package), SandboxError.
    """
    if suite.command is not None:
        return await _commanded(sandbox, source, suite, seconds or SECONDS)
    plan = recognise(suite)
    told = {
        "files": [[name, text] for name, text in suite.files],
        "module": suite.module,
        "seed": seed,
        "how": plan.how,
        "tests": plan.tests,
        "entry": plan.entry,
        "names": plan.names,
        "imports": plan.imports,
        "modules": plan.modules,
        "main": plan.main,
        "plugins": plan.plugins,
        "code": dict(plan.code),
        "magic": MAGIC_NUMBER.hex(),
        "source": None if plan.shared is None else source,
    }
    began = time.monotonic()
    trial = Trial(sandbox, suite.folder, seconds or SECONDS)
    await trial.run(told, {"source": source, "module": suite.module, "seed": seed})
    if trial.missing is not None:
        raise UsageError(f"the tests need {trial.missing}, which the environment that they run in does not have")
    return replace(_verdict(trial, plan), seconds=time.monotonic() - began)


def _verdict(trial: Trial, plan: Plan) -> Execution:
    cases = list(trial.cases)
    detail = trial.detail
    if not trial.done:
        # The tests' own process has not come to its end, so nobody has said what the others would have been.
        ended = trial.ended or Outcome.ERROR
        detail = detail or "the tests ended their process"
        if trial.running is not None and all(case.name != trial.running.name for case in cases):
            cases.append(replace(trial.running, outcome=ended, detail=detail))
        cases += _not_run(cases, plan, ended)
        outcome = ended
    else:
        if any(case.outcome is not Outcome.PASSED and case.line is None for case in cases):
            cases += _not_run(cases, plan, Outcome.ERROR)
        outcome = next((case.outcome for case in cases if case.outcome is not Outcome.PASSED), Outcome.PASSED)
        if not cases:
            outcome, detail = Outcome.ERROR, "no test ran"
        elif outcome is Outcome.PASSED and plan.shared is None and not trial.asked:
            outcome, detail = Outcome.ERROR, "the tests never used the program"
    if trial.gone is not None and outcome is Outcome.PASSED:
        outcome, detail = trial.gone, detail or trial.error
    if cases and outcome is not Outcome.PASSED and all(case.outcome is Outcome.PASSED for case in cases):
        cases.append(Case("to the end", outcome, detail=detail))  # lest all tests count as passed
    return Execution(outcome, tuple(cases), trusted=plan.shared is None, output=trial.output, detail=detail)


def _not_run(cases: Sequence[Case], plan: Plan, outcome: Outcome) -> list[Case]:
    """The tests that the text tells of and nobody has spoken of."""
    named = {case.name.partition("[")[0] for case in cases}
    return [Case(name, outcome, line, detail="not run") for name, line in plan.known if name not in named]


async def observe(
    sandbox: Sandbox, source: str, calls: Sequence[str], suite: Suite, *, seed: int = 0, seconds: float = 2.0
) -> list[str]:
    """What each expression about the program comes to: its canonical form, "raises NAME", or "timeout".

    The expressions use the program's names; of the suite, module and folder count. seconds: of wall time for each
    expression; after three that ended the program, all others count as that did. Raises SandboxError.
    """
    found: list[str] = []
    last = "timeout"
    for _ in range(3):
        told = {"files": [], "module": suite.module, "seed": seed, "how": "observe", "calls": list(calls[len(found) :])}
        told |= {"names": _names(calls), "imports": [], "modules": [], "source": None}
        trial = Trial(sandbox, suite.folder, seconds, each=True)
        await trial.run(told, {"source": source, "module": suite.module, "seed": seed})
        found += [case.detail for case in trial.cases if case.outcome is Outcome.PASSED]
        if len(found) >= len(calls):
            break
        ended = trial.gone or trial.ended or Outcome.ERROR
        last = "timeout" if ended is Outcome.TIMEOUT else f"raises {trial.error or ended}"
        found.append(last)
    return [*found, *[last] * len(calls)][: len(calls)]


def _names(calls: Sequence[str]) -> list[str]:
    names: set[str] = set()
    for call in calls:
        try:
            tree = ast.parse(call.strip(), mode="eval")
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        names |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return sorted(names)


async def _commanded(sandbox: Sandbox, source: str, suite: Suite, seconds: float) -> Execution:
    """Run the user's command on the program's file."""
    began = time.monotonic()
    files = {suite.program: source, **dict(suite.files)}
    trial = Trial(sandbox, suite.folder, seconds)
    code, ending = await trial.command(
        {"argv": shlex.split(suite.command or ""), "files": files, "program": suite.program, "stdin": ""}
    )
    if trial.missing is not None:
        raise UsageError(f"--check needs {trial.missing}: install it where the sandbox sees it, such as /usr/bin")
    output = printed(ending)
    outcome = ending.outcome or (Outcome.PASSED if code == 0 else Outcome.FAILED if code is not None else Outcome.ERROR)
    detail = "" if outcome is Outcome.PASSED else trial.detail or f"exit status {code}"
    case = Case(suite.command or "", outcome, detail=detail)
    return Execution(
        outcome, (case,), seconds=time.monotonic() - began, output=output, detail=detail, value=_score(output)
    )


def _score(output: str) -> float | None:
    """The number that the last line of the output is."""
    lines = output.strip().splitlines()
    try:
        value = float(lines[-1]) if lines else None
    except ValueError:
        return None
    return value if value is not None and abs(value) < float("inf") else None
