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
        return _brief(execution.detail, 160) or str(execution.outcome)
    line = f" (line {failing.line})" if failing.source and failing.line else ""
    place = _brief((failing.source or failing.name).rstrip(":"), 80) + line
    if failing.expected is not None:
        return f"{place}: gave {_brief(failing.actual or '', 60)}, expected {_brief(failing.expected, 60)}"
    # A traceback ends with what was raised; after it stands the call that led there.
    told = [text for text in failing.detail.splitlines() if not text.startswith("called: ")]
    return f"{place}: {_brief(told[-1] if told else _WORDS.get(failing.outcome, failing.outcome), 120)}"


def shortfall(execution: Execution) -> str:
    """How far the best program of a run came, in one line."""
    passed = f"the best program passes {execution.passed} of {execution.total} tests"
    return f"{passed}; first failure: {dead_end(execution)}"


def _brief(text: str, most: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[:most]}…"


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
