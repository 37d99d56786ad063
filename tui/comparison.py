"""Two runs, or two evals, side by side, line by line."""

from collections.abc import Mapping
from dataclasses import dataclass

from refiner.domain.run_model import RunModel
from refiner.tui import figures
from refiner.tui.widgets.gauges import SAID
from refiner.tui.widgets.iterations import MARKS
from refiner.tui.widgets.table import Cell, Column


@dataclass(frozen=True, slots=True)
class Line:
    """What is said of each run under one name."""

    name: str
    left: str
    right: str

    @property
    def same(self) -> bool:
        return self.left == self.right


def columns(width: int, left: str, right: str) -> tuple[Column[Line], ...]:
    """Those of a table of lines. width: of the names, in cells; left, right: what is compared."""
    return (
        Column("", width, lambda line: Cell(line.name, "dim")),
        Column(left, 0, lambda line: Cell(line.left)),
        Column("", 1, lambda line: Cell(" " if line.same else "≠", "warning")),
        Column(right, 0, lambda line: Cell(line.right)),
    )


def lines(left: RunModel, right: RunModel) -> tuple[Line, ...]:
    """Task and figures of both, then their iterations."""
    facts = [_facts(left), _facts(right)]
    steps = [_steps(left), _steps(right)]
    named = [Line(name, *(each[name] for each in facts)) for name in facts[0]]
    for chain, index in sorted({*steps[0], *steps[1]}):
        named.append(Line(f"{chain}/{index}", *(each.get((chain, index), "") for each in steps)))
    return tuple(named)


def _facts(model: RunModel) -> Mapping[str, str]:
    state, plan = model.state, model.state.plan
    best = model.best.score if model.best else None
    said = {
        "task": plan.task.title if plan else "",
        "strategy": plan.strategy if plan else "",
        "model": plan.models.answer if plan else "",
        "state": model.phase,
        "stop": f"{state.finished.stop.reason}: {state.finished.stop.detail}" if state.finished else "",
        "iterations": str(sum(row.index > 0 and row.step is not None for row in model.rows)),
        "best": figures.share(best),
    }
    used = {gauge.name: gauge.used for gauge in model.gauges(figures.now())}
    return {**said, **{name: figures.UNKNOWN if (of := used[name]) is None else say(of) for name, say in SAID.items()}}


def _steps(model: RunModel) -> Mapping[tuple[int, int], str]:
    return {
        (row.chain, row.index): f"{MARKS[row.mark][0]} {figures.share(row.score)}  {row.verdict}" for row in model.rows
    }
