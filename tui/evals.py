"""Evals and their items as rows: in which words, and in which orders."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from refiner.domain.eval_state import ArmLine, EvalLine, Gain, ItemLine, Outcome, Pair
from refiner.domain.evals import ARMS, CONTROLS, sets
from refiner.tui import figures
from refiner.tui.widgets.table import Cell, Column, Tone

STATES: Mapping[str, tuple[str, Tone]] = {
    "running": ("●", "accent"),
    "done": ("✓", "good"),
    "budget": ("‖", "warning"),
    "failed": ("✗", "bad"),
    "interrupted": ("↯", "warning"),
}
OUTCOMES: Mapping[Outcome, tuple[str, Tone]] = {
    "right": ("✓", "good"),
    "wrong": ("✗", "bad"),
    "unreadable": ("?", "bad"),
    "failed": ("!", "warning"),
    "unjudged": ("–", "dim"),
    "running": ("◌", "accent"),
    "pending": ("·", "dim"),
}
CHANGES: Mapping[str, tuple[str, Tone]] = {
    "broken": ("↓", "bad"),
    "worse": ("↓", "bad"),
    "repaired": ("↑", "good"),
    "better": ("↑", "good"),
    "same": ("=", "dim"),
}
"""What went wrong first."""


def marked(signs: Mapping[Any, tuple[str, Tone]], word: str) -> Cell:
    """A word behind its sign; they say the same as the colour."""
    sign, tone = signs.get(word, ("·", "dim"))
    return Cell(f"{sign} {word}" if word else "", tone)


def said(item: ItemLine, arm: str) -> Cell:
    """What an arm makes of an item."""
    outcome = item.outcomes.get(arm, "pending")
    sign, tone = OUTCOMES[outcome]
    return Cell(f"{sign} {'unread' if outcome == 'unreadable' else outcome}", tone)


def control(line: EvalLine) -> ArmLine | None:
    """The best of its controls."""
    found = [arm for name in CONTROLS if (arm := line.arm(name)) and arm.accuracy is not None]
    return max(found, key=lambda arm: arm.accuracy or 0.0, default=None)


def accuracy(arm: ArmLine | None) -> float | None:
    return arm.accuracy if arm else None


def reliable(arm: ArmLine | None) -> str:
    """The interval of an arm's accuracy."""
    return figures.within(arm.interval) if arm and arm.accuracy is not None else figures.UNKNOWN


EVALS: tuple[Column[EvalLine], ...] = (
    Column("state", 13, lambda line: marked(STATES, line.status)),
    Column("eval", 6, lambda line: Cell(line.id)),
    Column("set", 0, lambda line: Cell(sets(line.datasets))),
    Column("strategy", 8, lambda line: Cell(line.strategy, "dim"), rank=3),
    Column("model", 0, lambda line: Cell(line.model, "dim"), rank=4),
    Column("over", 4, lambda line: Cell(f"{line.over / line.parts:.0%}" if line.parts else ""), right=True),
    Column("right", 6, lambda line: Cell(figures.percent(accuracy(line.arm("refined")))), right=True),
    Column("95 %", 11, lambda line: Cell(reliable(line.arm("refined")), "dim"), rank=1, right=True),
    Column("control", 7, lambda line: Cell(figures.percent(accuracy(control(line)))), right=True),
    Column("cost", 7, lambda line: Cell(figures.dollars(line.usage.cost_usd)), right=True),
    Column("age", 4, lambda line: Cell(figures.age(line.created_at), "dim"), rank=2, right=True),
)
EVAL_ORDERS: Mapping[str, Callable[[EvalLine], Any]] = {
    "age": lambda line: (not line.live, -line.created_at.timestamp()),
    "state": lambda line: (not line.live, line.status),
    "eval": lambda line: (not line.live, line.id),
    "set": lambda line: (not line.live, sets(line.datasets).casefold()),
    "strategy": lambda line: (not line.live, line.strategy),
    "model": lambda line: (not line.live, line.model),
    "right": lambda line: (not line.live, -(accuracy(line.arm("refined")) or 0.0)),
    "control": lambda line: (not line.live, -(accuracy(control(line)) or 0.0)),
    "cost": lambda line: (not line.live, -(line.usage.cost_usd or 0.0)),
}


def eval_text(line: EvalLine) -> str:
    return f"{line.id} {line.status} {sets(line.datasets)} {line.strategy} {line.model} {line.why}"


def arms(gains: Mapping[str, Gain]) -> tuple[Column[ArmLine], ...]:
    """The columns of a table of arms. gains: what the refined arm gains on each."""

    def gained(say: Callable[[Gain], str]) -> Callable[[ArmLine], Cell]:
        return lambda arm: Cell(say(gains[arm.name]) if arm.name in gains else "")

    def each(say: Callable[[ArmLine], str]) -> Callable[[ArmLine], Cell]:
        return lambda arm: Cell(say(arm) if arm.judged else "")

    return (
        Column("arm", 11, lambda arm: Cell(arm.name)),
        Column("right", 6, lambda arm: Cell(figures.percent(arm.accuracy)), right=True),
        Column("95 %", 11, lambda arm: Cell(reliable(arm), "dim"), right=True),
        Column("of", 9, lambda arm: Cell(f"{arm.right}/{arm.judged}"), right=True),
        Column("failed", 6, lambda arm: Cell(str(arm.failed), "warning" if arm.failed else "dim"), right=True),
        Column("gain", 6, gained(lambda gain: figures.points(gain.difference)), right=True),
        Column("95 %", 14, gained(spread), right=True),
        Column("p", 7, gained(lambda gain: f"{gain.p_corrected:.2g}"), right=True),
        Column("calls", 6, each(lambda arm: f"{arm.usage.calls / arm.judged:.2f}"), rank=1, right=True),
        Column("tokens", 6, each(lambda arm: figures.tokens(arm.usage.tokens / arm.judged)), rank=2, right=True),
        Column("cost", 8, each(price), rank=3, right=True),
        Column("", 0, lambda _: Cell(""), rank=4),
    )


def spread(gain: Gain) -> str:
    return " to ".join(map(figures.points, gain.interval))


def price(arm: ArmLine) -> str:
    cost = arm.usage.cost_usd
    return figures.dollars(None if cost is None else cost / arm.judged)


def items(names: Iterable[str]) -> tuple[Column[ItemLine], ...]:
    """The columns of a table of items, one for each arm."""

    def made(name: str) -> Column[ItemLine]:
        def cell(item: ItemLine) -> Cell:
            return said(item, name)

        return Column(name, 11, cell)

    return (
        Column("item", 0, lambda item: Cell(item.name)),
        *map(made, names),
        Column("change", 10, lambda item: marked(CHANGES, item.change)),
        Column("tokens", 6, lambda item: Cell(figures.tokens(item.tokens)), rank=2, right=True),
        Column("cost", 8, lambda item: Cell(figures.dollars(item.cost_usd)), rank=4, right=True),
        Column("gold", 14, lambda item: Cell(item.gold or "", "dim"), rank=3),
        Column("answer", 0, lambda item: Cell(item.failure or item.answer or ""), rank=1),
    )


def _first(signs: Iterable[Any], word: str) -> int:
    known = [*signs]
    return known.index(word) if word in known else len(known)


_WORST: tuple[Outcome, ...] = ("failed", "unreadable", "wrong", "right", "unjudged", "running", "pending")


def _worst(name: str) -> Callable[[ItemLine], int]:
    return lambda item: _first(_WORST, item.outcomes.get(name, ""))


ITEM_ORDERS: Mapping[str, Callable[[ItemLine], Any]] = {
    "set": lambda _: 0,
    "change": lambda item: _first(CHANGES, item.change),
    **{name: _worst(name) for name in ARMS},
    "item": lambda item: item.name.casefold(),
    "tokens": lambda item: -item.tokens,
    "cost": lambda item: -(item.cost_usd or 0.0),
}
"""set: as the data set has them."""


def item_text(item: ItemLine) -> str:
    """What the words of a filter are looked for in, such as repaired, wrong or zero-shot:wrong."""
    said = " ".join(f"{arm}:{outcome}" for arm, outcome in item.outcomes.items())
    return f"{item.name} {said} {item.change} {item.gold} {item.answer} {item.failure}"


PAIR_ORDERS: Mapping[str, Callable[[Pair], Any]] = {
    "change": lambda pair: _first(CHANGES, pair.change),
    "set": lambda _: 0,
    "item": lambda pair: pair.name.casefold(),
}


def pair_text(pair: Pair) -> str:
    words = (f"{item.outcomes.get('refined')} {item.answer}" for item in (pair.first, pair.second))
    return f"{pair.name} {pair.change} {pair.first.gold} {' '.join(words)}"
