"""A figure: what was measured, what was promised, and whether the promise is kept."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

RESULTS = Path(__file__).parent / "results.json"


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table.

    target is the bound that was promised, None where the figure only stands beside another; most: whether it bounds
    from above. beside says what the figure was measured against.
    """

    name: str
    measured: float
    unit: str
    target: float | None = None
    most: bool = True
    beside: str = ""

    @property
    def met(self) -> bool | None:
        if self.target is None:
            return None
        return self.measured <= self.target if self.most else self.measured >= self.target


def show(figures: Sequence[Figure]) -> None:
    """Print the table."""
    rows = [("figure", "measured", "target", "met", "beside")]
    for figure in figures:
        target = "" if figure.target is None else f"{'≤' if figure.most else '≥'} {figure.target:,g} {figure.unit}"
        met = {None: "", True: "met", False: "not met"}[figure.met]
        rows.append((figure.name, f"{_short(figure.measured)} {figure.unit}", target, met, figure.beside))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, (*widths, 0), strict=True)).rstrip())


def save(figures: Sequence[Figure]) -> None:
    """Write the figures, and the machine that they were measured on, to results.json."""
    told = [asdict(figure) | {"met": figure.met} for figure in figures]
    RESULTS.write_text(json.dumps({"machine": machine(), "figures": told}, indent=2, ensure_ascii=False) + "\n")


def machine() -> str:
    """Processor, cores, load and Python: the same figures elsewhere are other figures."""
    import os
    import platform

    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
    load = os.getloadavg()[0]
    return f"{name}, {os.cpu_count()} cores, load {load:.1f}, Python {platform.python_version()}"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
