"""What an execution says to a model and to a user: the first failing case with its values."""

from refiner.domain.code import Case, Execution, Outcome

_WORDS = {
    Outcome.TIMEOUT: "it took too long",
    Outcome.MEMORY: "it used too much memory",
    Outcome.OUTPUT_LIMIT: "it printed too much",
    Outcome.KILLED: "it ended the process",
}
_CASES = 2
"""Failing cases that a report shows whole: more of them make a prompt longer, seldom better."""


def failure(execution: Execution) -> str:
    """The failing cases of an execution in a few lines, the first ones with their values; "" when all passed."""
    if execution.outcome is Outcome.PASSED:
        return ""
    failing = [case for case in execution.cases if case.outcome is not Outcome.PASSED]
    lines = [f"{execution.passed} of {execution.total} tests pass."] if execution.cases else []
    lines += [_told(case) for case in failing[:_CASES]]
    if execution.detail:
        lines.append(execution.detail)
    if not failing and not execution.detail:
        lines.append(_WORDS.get(execution.outcome, f"It ended as: {execution.outcome}."))
    return "\n".join(lines)


def dead_end(execution: Execution) -> str:
    """The same in one line."""
    failing = next((case for case in execution.cases if case.outcome is not Outcome.PASSED), None)
    if failing is None:
        return " ".join(execution.detail.split())[:160] or str(execution.outcome)
    values = f"gave {failing.actual}, expected {failing.expected}" if failing.expected is not None else failing.detail
    return " ".join(f"{failing.source or failing.name}: {values or _WORDS.get(failing.outcome, '')}".split())[:160]


def _told(case: Case) -> str:
    lines = [case.source or case.name]
    if case.outcome in _WORDS:
        lines.append(f"  {_WORDS[case.outcome]}")
    if case.actual is not None:
        lines.append(f"  actual:   {case.actual}")
    if case.expected is not None:
        lines.append(f"  expected: {case.expected}")
    if case.detail:
        lines += [f"  {line}" for line in case.detail.splitlines()[-12:]]
    return "\n".join(lines)
