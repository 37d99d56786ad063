"""The harness on whole benchmarks, in the folder that REFINER_SHARED names: run by `make check-shared` alone.

A sample of every set; REFINER_ROWS=all runs them all, which takes some minutes.
"""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from refiner.domain.code import Outcome
from tests.sandbox import judging
from tests.sandbox.judging import Bench
from tests.sandbox.programs import SETS, rows, trials

DATA = Path(os.environ.get("REFINER_SHARED", "")) / "data"
WANTED = os.environ.get("REFINER_ROWS", "24")
MOST = 10_000 if WANTED == "all" else int(WANTED)

# They take seconds of processor time by themselves: whether they pass depends on the machine.
SLOW = {"Mbpp/123", "Mbpp/389", "Mbpp/392", "Mbpp/592", "Mbpp/630"}


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with judging.bench() as opened:
        yield opened


@pytest.mark.parametrize("kind", SETS)
def test_references_pass_and_bugs_fail(bench: Bench, kind: str) -> None:
    outcomes: Counter[str] = Counter()
    wrong = []
    for row in list(rows(DATA / f"{kind}.jsonl"))[:MOST]:
        if row["id"] in SLOW:
            continue
        for trial in trials(row):
            execution = bench.judge(trial.source, trial.tests, name="tests.py", entry_point=trial.entry)
            outcomes[f"{'reference' if trial.passes else 'buggy'} {execution.outcome}"] += 1
            if (execution.outcome is Outcome.PASSED) != trial.passes:
                wrong.append((trial.name, execution.outcome, [case for case in execution.cases if case.detail][:1]))
    print(kind, dict(outcomes))
    assert not wrong, wrong
