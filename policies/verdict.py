"""Rules that look at what was said of the chain's current candidate."""

from dataclasses import dataclass

from refiner.domain.run import Stop, StopReason, Verdict
from refiner.domain.state import RunState
from refiner.policies.policy import Policy


@dataclass(frozen=True, slots=True)
class Clean(Policy):
    """The critic finds nothing to change."""

    @property
    def sentence(self) -> str:
        return "the critic finds nothing to change"

    def __call__(self, state: RunState, chain: int) -> Stop | None:
        current = state.chain(chain).current
        if current is None or current.evaluation is None or current.evaluation.verdict is not Verdict.CORRECT:
            return None
        return Stop(StopReason.CONVERGED, f"the critic finds nothing to change in candidate {current.candidate.index}")

    def __str__(self) -> str:
        return "clean"


@dataclass(frozen=True, slots=True)
class AllTests(Policy):
    """Every test passes, and there is at least one."""

    @property
    def sentence(self) -> str:
        return "all tests pass"

    def __call__(self, state: RunState, chain: int) -> Stop | None:
        current = state.chain(chain).current
        tests = current.tests if current else None
        if tests is None or not 0 < tests.total <= tests.passed:
            return None
        return Stop(StopReason.TESTS_PASS, f"{tests.passed} of {tests.total} tests pass")

    def __str__(self) -> str:
        return "tests"
