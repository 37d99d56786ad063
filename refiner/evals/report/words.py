"""Figures in words."""

from math import floor, log10

from refiner.evals.repeated import Share
from refiner.evals.statistics import Interval


def percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def interval(value: Interval) -> str:
    return f"{value.low:.1%}–{value.high:.1%}"


def share(value: Share) -> str:
    return "–" if value.share is None else f"{percent(value.share)} ({interval(value.interval)})"


def points(value: float) -> str:
    """A difference of shares, in percentage points."""
    return f"{100 * value:+.1f}"


def dollars(value: float | None) -> str:
    """US dollars, of less than one two digits that say something and four places at the least."""
    if not value:
        return "–" if value is None else "$0"
    return f"${value:.2f}" if value >= 1 else f"${value:.{max(4, 1 - floor(log10(value)))}f}"
