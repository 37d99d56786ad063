"""What TextGrad's authors released, replayed: the figures of METHODS.md."""

import os
from pathlib import Path

from refiner.evals.foreign import read_trajectories
from refiner.evals.replay import replay
from refiner.evals.rules import Rule
from refiner.policies import parse

FILE = Path(os.environ.get("REFINER_SHARED", "")) / "data" / "textgrad" / "solution_optimization.jsonl"


def test_the_published_figures() -> None:
    rules = [Rule(None, None, vote) for vote in ("first", "last", "majority")]
    scores = replay(read_trajectories(FILE), [*rules, Rule("agree:2", parse("agree:2"))])
    assert all((score.judged, score.undecidable) == (401, 0) for score in scores)
    assert [f"{score.accuracy:.1%}" for score in scores] == ["69.8%", "71.1%", "73.1%", "72.8%"]
    assert [(score.repaired, score.broken) for score in scores] == [(0, 0), (20, 15), (14, 1), (14, 2)]
    assert [f"{score.p:.5f}" for score in scores] == ["1.00000", "0.49956", "0.00098", "0.00418"]
    assert [f"{score.interval.low:.3f}–{score.interval.high:.3f}" for score in scores if score.interval] == [
        "0.652–0.741",
        "0.665–0.753",
        "0.685–0.772",
        "0.683–0.769",
    ]
    assert [f"{score.mean('calls'):.3f}" for score in scores] == ["10.000", "10.000", "10.000", "4.404"]
