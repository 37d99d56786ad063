"""How many cores a process may use."""

import os
from pathlib import Path

import pytest

from refiner.providers.local.settings import cores

AFFINE = len(os.sched_getaffinity(0))


def group(folder: Path, quota: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cpu.max").write_text(quota)


@pytest.mark.parametrize(
    ("own", "above", "expected"),
    [
        ("max 100000", "max 100000", AFFINE),
        ("100000 100000", "max 100000", 1),
        ("max 100000", "190000 100000", 1),
        ("20000 100000", "max 100000", 1),
        ("6400000 100000", "max 100000", AFFINE),
        ("nonsense", "", AFFINE),
    ],
)
def test_a_quota_of_any_group_bounds_the_cores(tmp_path: Path, own: str, above: str, expected: int) -> None:
    (tmp_path / "cgroup").write_text("0::/user.slice/job\n")
    group(tmp_path / "groups/user.slice", above)
    group(tmp_path / "groups/user.slice/job", own)
    assert cores(tmp_path / "cgroup", tmp_path / "groups") == expected


def test_without_control_groups_the_affinity_counts(tmp_path: Path) -> None:
    assert cores(tmp_path / "none", tmp_path / "none") == AFFINE


def test_affinity_bounds_the_cores() -> None:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert cores() == 1
    finally:
        os.sched_setaffinity(0, before)
