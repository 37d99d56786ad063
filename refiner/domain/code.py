"""Programs, the tests they have to pass, and what an execution of one against the other came to."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Outcome(StrEnum):
    """How a test, or a whole execution, ended."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    OUTPUT_LIMIT = "output-limit"
    KILLED = "killed"
    SANDBOX = "sandbox-error"


@dataclass(frozen=True, slots=True)
class Suite:
    """What a program must pass: test files, or a command.

    files: path below the tests' folder → text; the paths are relative, with "/". module: the dotted name by which the
    tests import the program ("solution", "buggy", "pkg.mod"). entry_point: the function that `check(candidate)` is
    called with. names: those that the tests need from the program, () where that is not known. folder: the project
    around the program, whose place in it is `module`. command: run instead of the files, with the program's path in
    `{}`; exit 0 passes, a number on its last line is a score from 0 to 1. program: the file name under which the
    command finds it. language: of the program, in lower case.
    """

    files: tuple[tuple[str, str], ...] = ()
    module: str = "solution"
    entry_point: str | None = None
    names: tuple[str, ...] = ()
    folder: str | None = None
    command: str | None = None
    program: str = "solution.py"
    language: str = "python"


@dataclass(frozen=True, slots=True)
class Case:
    """What became of one test.

    name: as a user would find it ("test_add[1-2]", "line 3"). line: in the test file, from 1. source: the assertion.
    actual, expected: literals of the two sides of the assertion that failed, cut to a readable length. detail: the
    message, or a traceback cut to the program's own frames. closeness: 0 to 1, how near actual came to expected.
    """

    name: str
    outcome: Outcome
    line: int | None = None
    source: str = ""
    actual: str | None = None
    expected: str | None = None
    detail: str = ""
    closeness: float = 0.0


@dataclass(frozen=True, slots=True)
class Execution:
    """A program's run against a suite; seconds of wall time.

    outcome: PASSED only when at least one test ran and all passed, else that of the first case that did not, or of what
    ended the whole. trusted: False where tests and program had to share a process. output: what the program printed,
    cut. detail: why no test could run.
    """

    outcome: Outcome
    cases: tuple[Case, ...] = ()
    trusted: bool = True
    seconds: float = 0.0
    output: str = ""
    detail: str = ""
    value: float | None = None

    @property
    def passed(self) -> int:
        return sum(case.outcome is Outcome.PASSED for case in self.cases)

    @property
    def total(self) -> int:
        return len(self.cases)

    @property
    def score(self) -> float:
        """From 0 to 1: the share of tests passed, each failed one counted by at most half its closeness.

        `value` stands in for it where a command gave a number. 1.0 only when all passed.
        """
        if self.outcome is Outcome.PASSED:
            return 1.0
        if self.value is not None:
            return min(max(self.value, 0.0), 0.999)
        near = sum(1.0 if case.outcome is Outcome.PASSED else 0.5 * case.closeness for case in self.cases)
        return min(near / self.total, 0.999) if self.cases else 0.0


def is_test(path: str) -> bool:
    """Whether a file's name is one that pytest looks for."""
    name = path.rpartition("/")[2]
    return name == "conftest.py" or (name.endswith(".py") and (name.startswith("test_") or name.endswith("_test.py")))


class Judge(Protocol):
    """Who runs programs, in isolation. What runs is hostile; what comes back is plain.

    Both raise SandboxError where nothing can be run at all, UsageError for tests that say nothing.
    """

    async def judge(self, source: str, suite: Suite, *, seed: int = 0) -> Execution:
        """The program against the tests."""
        ...

    async def observe(self, source: str, suite: Suite, expressions: Sequence[str], *, seed: int = 0) -> tuple[str, ...]:
        """What each expression over the program comes to: a literal, "raises ValueError", or "timeout"."""
        ...
