"""How long it takes until refiner begins, and how much room it takes: `python -m benchmarks.startup [--quick]`.

Times are medians of fresh processes on a warm disk, `python -c pass` beside them. The size is that of refiner and all
that it needs without extras, installed into an empty folder.
"""

import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.figures import Figure, show
from benchmarks.processes import ROOT, home

TIMES = 15


def measure(*, quick: bool = False) -> list[Figure]:
    """Seconds to help and to an import, and megabytes on the disk; a quick measure leaves the last one out."""
    times = 5 if quick else TIMES
    refiner = Path(sys.executable).with_name("refiner")
    nothing, shown, imported = _seconds(
        [[sys.executable, "-c", "pass"], [refiner, "--help"], [sys.executable, "-c", "import refiner"]], times
    )
    beside = f"median of {times}; python -c pass {nothing:.3f} s"
    figures = [
        Figure("startup: refiner --help", shown, "s", 0.15, beside=beside),
        Figure("startup: import refiner", imported, "s", 0.25, beside=beside),
    ]
    return figures if quick else [*figures, _installed()]


def _seconds(commands: list[list[str | Path]], times: int) -> list[float]:
    """The median of each command, all of them in turn so that they see the same machine."""
    taken: list[list[float]] = [[] for _ in commands]
    with home() as env:
        for _ in range(times + 1):
            for command, seconds in zip(commands, taken, strict=True):
                began = time.perf_counter()
                subprocess.run(command, stdout=subprocess.DEVNULL, check=True, env=env, cwd=env["REFINER_HOME"])
                seconds.append(time.perf_counter() - began)
    return [median(seconds[1:]) for seconds in taken]


def _installed() -> Figure:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-warn-conflicts"]
    with TemporaryDirectory(prefix="refiner-size-") as folder, TemporaryDirectory() as source:
        # A build leaves its own folder behind, which later builds would take files from.
        shutil.copytree(ROOT, source, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".*", "build", "tests"))
        subprocess.run([*pip, "--target", folder, source], check=True)
        status = [(path, path.stat()) for path in Path(folder).rglob("*")]
    used = sum(file.st_blocks * 512 for _, file in status) / 2**20
    written = sum(file.st_size for _, file in status) / 2**20
    compiled = sum(file.st_size for path, file in status if path.suffix == ".pyc") / 2**20
    beside = f"on the disk (du); {written:.0f} MB of bytes, {compiled:.0f} of them compiled by pip"
    return Figure("startup: install without extras", used, "MB", 250, beside=beside)


def main() -> None:
    show(measure(quick="--quick" in sys.argv[1:]))


if __name__ == "__main__":
    main()
