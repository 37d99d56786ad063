"""The plots of a report, as SVG that is the same to the byte for the same figures."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from io import StringIO
from typing import TYPE_CHECKING, Any

from refiner.domain.errors import UsageError
from refiner.evals.curves import What
from refiner.evals.figures import ArmFigures, Figures
from refiner.evals.statistics import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLORS = ("#0b6bcb", "#9a9a9a", "#c2570c", "#7a3fa0", "#2e7d32", "#b3261e")
UNITS: Mapping[What, str] = {"calls": "calls", "tokens": "tokens", "cost": "US dollars"}
LOOKS: Mapping[Any, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.fonttype": "none",
    "text.parse_math": False,
}


def plots(figures: Figures) -> dict[str, str]:
    """The plots by their titles; those that have nothing to show are left out.

    Raises UsageError where matplotlib is not installed.
    """
    return {title: _drawn(title, draw, height) for title, draw, height in _plots(figures.arms)}


def _plots(arms: Sequence[ArmFigures]) -> "Iterator[tuple[str, Callable[[Axes], None], float]]":
    yield "Accuracy, with its 95 % interval", partial(_accuracy, arms=arms), 0.35 * len(arms) + 0.8
    for what, unit in UNITS.items():
        if any(len(arm.over.get(what, ())) > 1 for arm in arms):
            yield f"Accuracy over {unit}", partial(_over, arms=arms, what=what), 2.8
    if any(arm.calibration for arm in arms):
        yield "How often votes are right, by their margin", partial(_calibration, arms=arms), 2.8
    for arm in arms:
        if any(flip.cause == "update" for flip in arm.flips):
            yield f"Updates that changed whether an answer is right ({arm.name})", partial(_flips, arm=arm), 2.8


def _drawn(title: str, draw: "Callable[[Axes], None]", height: float) -> str:
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError:
        raise UsageError("plots need matplotlib: install it with pip install 'refiner[eval]'") from None

    with rc_context({**LOOKS, "svg.hashsalt": title}):
        figure = Figure(figsize=(6.4, height), layout="constrained")
        draw(figure.add_subplot())
        written = StringIO()
        figure.savefig(written, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return written.getvalue().partition("<!DOCTYPE")[2].partition(">")[2].strip()


def _accuracy(axes: "Axes", arms: Sequence[ArmFigures]) -> None:
    for at, arm in enumerate(reversed(arms)):
        share = arm.accuracy
        if share.share is not None:
            color = COLORS[(len(arms) - 1 - at) % len(COLORS)]
            axes.errorbar(share.share, at, xerr=_bars(share.share, share.interval), fmt="o", color=color, capsize=3)
    axes.set_yticks(range(len(arms)), [arm.name for arm in reversed(arms)])
    axes.set_ylim(-0.6, len(arms) - 0.4)
    axes.set_xlim(0, 1)


def _over(axes: "Axes", arms: Sequence[ArmFigures], what: What) -> None:
    for number, arm in enumerate(arms):
        spots, color = arm.over.get(what, ()), COLORS[number % len(COLORS)]
        if not spots:
            continue
        spent = [spot.spent for spot in spots]
        axes.plot(spent, [spot.accuracy for spot in spots], color=color, marker=".", label=arm.name)
        low, high = zip(*(spot.interval for spot in spots), strict=True)
        axes.fill_between(spent, low, high, color=color, alpha=0.12, linewidth=0)
    axes.set_xlabel(f"{UNITS[what]} an answer")
    axes.set_ylabel("accuracy")
    axes.set_ylim(0, 1)
    axes.set_xlim(left=0)
    axes.legend(frameon=False)


def _calibration(axes: "Axes", arms: Sequence[ArmFigures]) -> None:
    for number, arm in enumerate(arms):
        bins, color = arm.calibration, COLORS[number % len(COLORS)]
        if len(bins) > 1:
            bars = list(zip(*(_bars(one.accuracy, one.interval) for one in bins), strict=True))
            flat = [[bar[0] for bar in column] for column in bars]
            at = [one.margin for one in bins]
            axes.errorbar(at, [one.accuracy for one in bins], flat, color=color, marker="o", capsize=3, label=arm.name)
    axes.set_xlabel("margin: (first − second) / voters")
    axes.set_ylabel("accuracy")
    axes.set_ylim(0, 1)
    axes.set_xlim(0, 1.02)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, loc="lower right")


def _flips(axes: "Axes", arm: ArmFigures) -> None:
    updates = [flip for flip in arm.flips if flip.cause == "update" and flip.iteration is not None]
    at = sorted({flip.iteration for flip in updates if flip.iteration is not None})
    for label, color, signed in (("wrong → right", COLORS[4], 1), ("right → wrong", COLORS[5], -1)):
        heights = [
            signed * sum(flip.repaired if signed > 0 else flip.broken for flip in updates if flip.iteration == one)
            for one in at
        ]
        axes.bar(at, heights, color=color, label=label, width=0.6)
    axes.axhline(0, color="black", linewidth=0.6)
    axes.set_xticks(at)
    axes.set_xlim(at[0] - 1, at[-1] + 1)
    axes.set_xlabel("iteration")
    axes.set_ylabel("answers")
    axes.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 1), ncols=2)


def _bars(value: float, interval: Interval) -> list[list[float]]:
    """How far the interval's ends are from a value, as matplotlib takes them."""
    return [[max(0.0, value - interval.low)], [max(0.0, interval.high - value)]]
