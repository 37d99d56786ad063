"""Public benchmarks in the harness: references pass, known bugs fail."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from refiner.domain.code import Outcome
from tests.sandbox import judging
from tests.sandbox.judging import Bench
from tests.sandbox.programs import SETS, rows, trials

SAMPLES = list(rows(Path(__file__).parent.parent / "data" / "programs.jsonl"))


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with judging.bench() as opened:
        yield opened


@pytest.mark.parametrize("row", SAMPLES, ids=lambda row: str(row["id"]))
def test_references_pass_and_bugs_fail(bench: Bench, row: dict[str, str]) -> None:
    assert row["set"] in SETS
    for trial in trials(row):
        execution = bench.judge(trial.source, trial.tests, name="tests.py", entry_point=trial.entry)
        assert (execution.outcome is Outcome.PASSED) == trial.passes, (trial.name, execution)
        assert execution.trusted
        assert execution.total >= 1
