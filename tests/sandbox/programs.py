"""Rows of public benchmarks: a reference that passes its tests, and a wrong program that does not."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

SETS = (
    "humaneval",
    "humanevalplus_mini",
    "humanevalfix",
    "mbpp_sanitized",
    "mbppplus",
    "quixbugs",
    "ldb_model_bugs",
)


class Trial(NamedTuple):
    """A program, its tests, and whether it passes them."""

    name: str
    source: str
    tests: str
    entry: str | None
    passes: bool


def rows(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        yield json.loads(line)


def trials(row: dict[str, Any]) -> Iterator[Trial]:
    """All that a row says of programs and tests.

    What a row does not promise is left out: rows of MBPP+ whose original solution fails, model's programs that pass.
    """
    visible = row.get("visible") or row.get("visible_test") or "\n".join(row.get("visible_tests", ()))
    if row.get("original_mbpp_solution_passes", True) and row.get("reference_passes_plus", True):
        for name, tests in (("test", row["test"]), ("visible", visible)):
            if tests.strip():
                yield Trial(f"{row['id']} reference {name}", row["reference"], tests, row.get("entry_point"), True)
    if row.get("buggy_code") and row.get("fails_base", True):
        yield Trial(f"{row['id']} buggy", row["buggy_code"], row["test"], row.get("entry_point"), False)
