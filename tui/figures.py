"""Figures in a few characters."""

from datetime import UTC, datetime

from refiner.domain.calls import short

UNKNOWN = "–"
tokens = short


def dollars(cost: float | None) -> str:
    return UNKNOWN if cost is None else f"${cost:.4f}" if cost < 1 else f"${cost:.2f}"


def share(of: float | None) -> str:
    return UNKNOWN if of is None else f"{of:.2f}"


def percent(of: float | None) -> str:
    return UNKNOWN if of is None else f"{of:.1%}"


def within(interval: tuple[float, float]) -> str:
    """An interval of a share: 66.3–92.1%."""
    low, high = interval
    return f"{100 * low:.1f}–{high:.1%}"


def points(of: float) -> str:
    """A difference of shares in percentage points, with its sign."""
    return f"{100 * of:+.1f}"


def duration(seconds: float) -> str:
    """One unit, the largest that says something: 8s, 12m, 3h, 5d."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size:.0f}{unit}"
    return f"{max(0.0, seconds):.0f}s"


def now() -> datetime:
    """The clock of every screen."""
    return datetime.now(UTC)


def until(at: datetime) -> str:
    return duration((at - now()).total_seconds())


def age(at: datetime) -> str:
    return duration((now() - at).total_seconds())
