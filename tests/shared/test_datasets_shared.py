"""The tests that are made of QuixBugs' cases, on its programs: the right ones pass, the wrong ones fail."""

import json
import os
import subprocess
import sys
from pathlib import Path

from refiner.evals.datasets.load import items

FILE = Path(os.environ.get("REFINER_SHARED", "")) / "data" / "quixbugs.jsonl"


def test_quixbugs(tmp_path: Path) -> None:
    rows = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]
    cased = {row["entry_point"]: row for row in rows if row["kind"] == "json"}
    for folder in ("python_programs", "json_testcases"):
        (tmp_path / folder).mkdir()
    for name, row in cased.items():
        (tmp_path / "python_programs" / f"{name}.py").write_text(row["buggy_code"])
        cases = "".join(json.dumps(case) + "\n" for case in row["cases"])
        (tmp_path / "json_testcases" / f"{name}.json").write_text(cases)
    found = list(items(f"quixbugs:{tmp_path}"))
    assert len(found) == len(cased) > 10
    for item in found:
        assert _passes(cased[item.entry_point or ""]["reference"], item.tests), item.id
        assert not _passes(item.program or "", item.tests), item.id


def _passes(program: str, tests: str) -> bool:
    try:
        done = subprocess.run(
            [sys.executable, "-c", f"{program}\n{tests}"], capture_output=True, timeout=5, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0
