"""What an execution of untrusted code costs: `python -m benchmarks.sandbox [--quick]`.

One execution is a small program in one cell and its three asserts in another, both warm, in the strongest sandbox
that works here. Beside it stands the same in a bare `python -I -S` subprocess, in turn with it on the same machine, and
a pytest file beside plain pytest. Then many in a row, to see whether anything grows.
"""

import gc
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import anyio

from benchmarks.figures import Figure, show
from refiner.domain.code import Outcome, Suite
from refiner.sandbox.cell import Sandbox
from refiner.sandbox.choose import sandbox_of
from refiner.sandbox.interpreter import find
from refiner.sandbox.judge import judge

TIMES, SECONDS, IN_A_ROW = 100, 20.0, 10_000
WARM_UP = 600
"""Executions before the first look: every worker has then been replaced once."""

PROGRAM = """\
def middle(numbers):
    ordered = sorted(numbers)
    half, odd = divmod(len(ordered), 2)
    return ordered[half] if odd else (ordered[half - 1] + ordered[half]) / 2
"""
TESTS = """\
from solution import middle

assert middle([3, 1, 2]) == 2
assert middle([4, 1, 3, 2]) == 2.5
assert middle([-7]) == -7
"""
SUITE = Suite((("test_middle.py", TESTS),))
PYTEST = Suite(((
    "test_middle.py",
    """\
import pytest
from solution import middle

@pytest.fixture
def shift():
    return 10

@pytest.mark.parametrize(("numbers", "wanted"), [([3, 1, 2], 2), ([4, 1, 3, 2], 2.5), ([-7], -7)])
def test_middle(numbers, wanted, shift):
    assert middle([number + shift for number in numbers]) == wanted + shift
""",
),))  # fmt: skip


def measure(*, quick: bool = False) -> list[Figure]:
    """Milliseconds and executions a second; and what has grown after many."""
    return anyio.run(_measured, quick)


async def _measured(quick: bool) -> list[Figure]:
    times, seconds, in_a_row = (20, 3.0, 500) if quick else (TIMES, SECONDS, IN_A_ROW)
    python = find().path
    text = f"{PROGRAM}\n{TESTS.partition(chr(10))[2]}"
    sandbox = await sandbox_of("auto")
    try:
        bare, warm = await _side_by_side(sandbox, SUITE, times, [python, "-I", "-S", "-c", text])
        with TemporaryDirectory(prefix="refiner-bench-") as folder:
            plain, ours = await _side_by_side(sandbox, PYTEST, times, _pytest(Path(folder)))
        rate = await _rate(sandbox, seconds)
        growth = await _growth(sandbox, in_a_row)
    finally:
        await sandbox.aclose()
    beside = f"median of {times} in turn; a bare python -I -S {1000 * bare:.1f} ms"
    pytest_beside = f"{1000 * ours:.0f} ms to {1000 * plain:.0f} ms, median of {times} in turn"
    cores = len(os.sched_getaffinity(0))
    at_once = f"{cores} cores, {2 * cores} at once"
    return [
        Figure(f"sandbox: one execution, {sandbox.layer}, warm", 1000 * warm, "ms", beside=beside),
        Figure("sandbox: against a bare subprocess", warm / bare, "times", 2, beside="program and tests apart"),
        Figure("sandbox: a pytest file against plain pytest", ours / plain, "times", 1.3, beside=pytest_beside),
        Figure("sandbox: executions a second", rate, "/s", 100, most=False, beside=at_once),
        *growth,
    ]


def _pytest(folder: Path) -> list[str]:
    """Plain pytest over the same files, without the plugins of this environment, which the sandbox does not load."""
    for name, content in (("solution.py", PROGRAM), *PYTEST.files):
        (folder / name).write_text(content)
    return ["env", "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1", sys.executable, "-m", "pytest", "-q", str(folder)]


async def _side_by_side(sandbox: Sandbox, suite: Suite, times: int, command: list[str]) -> tuple[float, float]:
    """Median seconds of a command and of the sandbox, one after the other each time."""
    bare, warm = [], []
    for _ in range(times + 5):
        began = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: ASYNC221
        bare.append(time.perf_counter() - began)
        began = time.perf_counter()
        await _passes(sandbox, suite)
        warm.append(time.perf_counter() - began)
    return median(bare[5:]), median(warm[5:])


async def _rate(sandbox: Sandbox, seconds: float) -> float:
    """Executions a second, as many at once as the sandbox has workers."""
    ends, count = time.monotonic() + seconds, 0

    async def repeat() -> None:
        nonlocal count
        while time.monotonic() < ends:
            await _passes(sandbox)
            count += 1

    began = time.monotonic()
    async with anyio.create_task_group() as tasks:
        for _ in range(2 * len(os.sched_getaffinity(0))):
            tasks.start_soon(repeat)
    return count / (time.monotonic() - began)


async def _growth(sandbox: Sandbox, times: int) -> list[Figure]:
    """What this process has more of after many executions than after the first few."""
    for _ in range(WARM_UP if times > WARM_UP else 20):
        await _passes(sandbox)
    before = _held()
    for _ in range(times):
        await _passes(sandbox)
    after = _held()
    beside = f"{times:,} executions in a row"
    return [
        Figure(f"sandbox: growth of {name}", after[name] - before[name], unit, most, beside=beside)
        for name, unit, most in (
            ("memory", "MB", 5),
            ("descriptors", "descriptors", 0),
            ("processes", "processes", 0),
            ("scratch", "folders", 0),
        )
    ]


def _held() -> dict[str, float]:
    import tempfile

    from refiner.sandbox.usage import below

    gc.collect()
    status = Path("/proc/self/status").read_text()
    resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))
    return {
        "memory": resident / 1024,
        "descriptors": sum(1 for _ in os.scandir("/proc/self/fd")),
        "processes": len(below(os.getpid(), 0).pids),
        "scratch": len(list(Path(tempfile.gettempdir()).glob("refiner-cells-*"))),
    }


async def _passes(sandbox: Sandbox, suite: Suite = SUITE) -> None:
    execution = await judge(sandbox, PROGRAM, suite)
    if execution.outcome is not Outcome.PASSED:
        raise RuntimeError(f"a right program did not pass: {execution}")


def main() -> None:
    show(measure(quick="--quick" in sys.argv[1:]))


if __name__ == "__main__":
    main()
