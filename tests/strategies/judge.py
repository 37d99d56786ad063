"""A judge without isolation, for programs that the tests themselves wrote."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from refiner.domain.code import Case, Execution, Outcome, Suite


@dataclass
class PlainJudge:
    """Runs each line of a suite as a test, in this process; `judged` lists the programs in the order they came."""

    judged: list[str] = field(default_factory=list)

    async def judge(self, source: str, suite: Suite, *, seed: int = 0) -> Execution:
        self.judged.append(source)
        names: dict[str, Any] = {}
        exec(source, names)
        lines = [line for _, text in suite.files for line in text.splitlines() if line.startswith("assert ")]
        cases = tuple(self._case(number, line, names) for number, line in enumerate(lines, 1))
        outcome = next((case.outcome for case in cases if case.outcome is not Outcome.PASSED), Outcome.PASSED)
        return Execution(outcome, cases)

    async def observe(self, source: str, suite: Suite, expressions: Sequence[str], *, seed: int = 0) -> tuple[str, ...]:
        names: dict[str, Any] = {}
        exec(source, names)
        return tuple(repr(eval(expression, names)) for expression in expressions)

    def _case(self, number: int, line: str, names: dict[str, Any]) -> Case:
        left, _, right = line.removeprefix("assert ").partition(" == ")
        actual, expected = eval(left, names), eval(right, names)
        outcome = Outcome.PASSED if actual == expected else Outcome.FAILED
        return Case(f"line {number}", outcome, number, line, repr(actual), repr(expected))
