"""Which runs the table shows, and in which order."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from refiner.domain.store import RunRow

UNDER_WAY = ("running", "paused", "queued")

ORDERS: Mapping[str, Callable[[RunRow], Any]] = {
    "age": lambda row: -row.created_at.timestamp(),
    "state": lambda row: row.status,
    "task": lambda row: row.title.casefold(),
    "strategy": lambda row: row.strategy,
    "it": lambda row: -row.iterations,
    "best": lambda row: (-(row.best or 0.0), -(row.lead[0] - row.lead[1] if row.lead else 0)),
    "tokens": lambda row: -row.tokens,
    "cost": lambda row: -(row.cost_usd or 0.0),
    "stop": lambda row: row.stop or "",
}
"""What the table may be ordered by, named as its columns."""


def listed(rows: Iterable[RunRow], words: str = "", order: str = "age") -> Sequence[RunRow]:
    """The runs that hold every word somewhere, those under way first, and among them by the order."""
    wanted = words.casefold().split()
    found = [row for row in rows if all(word in _text(row) for word in wanted)] if wanted else list(rows)
    found.sort(key=lambda row: row.created_at, reverse=True)
    found.sort(key=ORDERS[order])
    found.sort(key=lambda row: row.status not in UNDER_WAY)
    return found


def _text(row: RunRow) -> str:
    return f"{row.id} {row.status} {row.title} {row.strategy} {row.model} {row.stop or ''}".casefold()
