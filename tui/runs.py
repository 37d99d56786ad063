"""Runs as rows: in which words, and in which orders."""

from collections.abc import Callable, Mapping
from typing import Any

from refiner.domain.store import RunRow

UNDER_WAY = ("running", "paused", "queued")


def _order(key: Callable[[RunRow], Any]) -> Callable[[RunRow], Any]:
    """Those under way first, and among equals the newest."""
    return lambda row: (row.status not in UNDER_WAY, key(row), -row.created_at.timestamp())


RUN_ORDERS: Mapping[str, Callable[[RunRow], Any]] = {
    "age": _order(lambda row: -row.created_at.timestamp()),
    "state": _order(lambda row: row.status),
    "task": _order(lambda row: row.title.casefold()),
    "strategy": _order(lambda row: row.strategy),
    "it": _order(lambda row: -row.iterations),
    "best": _order(lambda row: (-(row.best or 0.0), -(row.lead[0] - row.lead[1] if row.lead else 0))),
    "tokens": _order(lambda row: -row.tokens),
    "cost": _order(lambda row: -(row.cost_usd or 0.0)),
    "stop": _order(lambda row: row.stop or ""),
}


def run_text(row: RunRow) -> str:
    return f"{row.id} {row.status} {row.title} {row.strategy} {row.model} {row.stop or ''}"
