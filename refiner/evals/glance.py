"""The evals of a store at a glance: counted anew only where something changed, and never most of the time."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from time import monotonic
from typing import Any, Generic, Literal, TypeVar

import anyio
import anyio.to_thread

from refiner.domain.calls import Usage
from refiner.domain.eval_state import (
    ArmLine,
    Change,
    EvalLine,
    EvalPair,
    EvalState,
    Gain,
    ItemLine,
    Outcome,
    Pair,
    line_of,
)
from refiner.domain.evals import ARMS, CONTROLS, Answered, Arm, EvalRow, Results, Sitting, Verdict
from refiner.evals.answers import Answer
from refiner.evals.arms import verdicts
from refiner.evals.comparing import compared
from refiner.evals.figures import DRAWS, Comparison, by_item, compare, corrected, correction, draws
from refiner.evals.reading import outcome
from refiner.evals.repeated import pooled
from refiner.store.sql import SqlStore

T = TypeVar("T")

PATIENCE = 0.5
"""Seconds that a list may count; what is left is counted when it is asked for again."""

REST = 9
"""A live eval rests so many times as long as it was counted."""

ROUGH = 1_000
"""Resamples of a bootstrap while an eval is live, and when it is looked at for the first time: to be soon there."""


@dataclass
class _Kept(Generic[T]):
    """What was made of something, until that has changed; the latest `size` of them."""

    size: int
    _values: dict[Any, tuple[object, T, float]] = field(default_factory=dict)
    _lock: anyio.Lock = field(default_factory=anyio.Lock)

    async def get(self, key: object, of: object, make: Callable[[], Awaitable[T]], *, live: bool) -> T:
        """What was made of it last; of what is live, now and then."""
        async with self._lock:  # who asks for the same meanwhile shall not count it again
            if (known := self._values.pop(key, None)) and (known[0] == of or (live and monotonic() < known[2])):
                self._values[key] = known
                return known[1]
            began = monotonic()
            value = await make()
            now = monotonic()
            self._values[key] = of, value, now + REST * (now - began)
            while len(self._values) > self.size:
                del self._values[next(iter(self._values))]
            return value

    def most(self, key: str, of: object, *, live: bool) -> int:
        """Resamples for what is asked for: all of them once it was told with a few."""
        known = self._values.get((key, ROUGH))
        return DRAWS if known and known[0] == of and not live else ROUGH

    def last(self, key: object) -> T | None:
        known = self._values.get(key)
        return known[1] if known else None


@dataclass
class Evals:
    """Looks at evals, out of the event loop."""

    store: SqlStore
    _arms: _Kept[tuple[ArmLine, ...]] = field(default_factory=lambda: _Kept(1_000))
    _states: _Kept[EvalState] = field(default_factory=lambda: _Kept(16))
    _pairs: _Kept[EvalPair] = field(default_factory=lambda: _Kept(16))

    async def lines(self, limit: int = 100) -> list[EvalLine]:
        """The latest evals, newest first."""
        rows, found = await self.store.evals.rows(limit), []
        ends = monotonic() + PATIENCE
        for row in rows:
            arms = self._arms.last(row.id)
            if monotonic() < ends:
                arms = await self._arms.get(row.id, row, partial(self._counted, row.id), live=_live(row))
            found.append(line_of(row, arms))
        return found

    async def state(self, prefix: str) -> EvalState:
        """One eval with its items. Raises NotFoundError or AmbiguousError."""
        row = await self._row(prefix)
        most = self._states.most(row.id, row, live=_live(row))
        state = await self._states.get((row.id, most), row, partial(self._state, row.id, most), live=_live(row))
        return replace(state, line=line_of(row, state.line.arms))

    async def pair(self, first: str, second: str) -> EvalPair:
        """Two evals item by item. Raises UsageError where they have none in common; else as `state` does."""
        rows = await self._row(first), await self._row(second)
        names = rows[0].id, rows[1].id
        live, key = any(map(_live, rows)), "-".join(names)
        most = self._pairs.most(key, rows, live=live)
        pair = await self._pairs.get((key, most), rows, partial(self._pair, *names, most), live=live)
        lines = (line_of(row, line.arms) for row, line in zip(rows, (pair.first, pair.second), strict=True))
        return replace(pair, first=next(lines), second=next(lines))

    async def _row(self, prefix: str) -> EvalRow:
        return await self.store.evals.row(await self.store.evals.find(prefix))

    async def _counted(self, name: str) -> tuple[ArmLine, ...]:
        results = await self.store.evals.results(name)
        return await anyio.to_thread.run_sync(lambda: _arms(_each(results)))

    async def _state(self, name: str, most: int) -> EvalState:
        results = await self.store.evals.results(name)
        return await anyio.to_thread.run_sync(state_of, results, most)

    async def _pair(self, first: str, second: str, most: int) -> EvalPair:
        both = await self.store.evals.results(first), await self.store.evals.results(second)
        return await anyio.to_thread.run_sync(lambda: pair_of(*both, most))


def state_of(results: Results, most: int = DRAWS) -> EvalState:
    """An eval with its items and figures. most: resamples."""
    each = _each(results)
    mine = _answers(each)
    gains = corrected([one for arm in CONTROLS if (one := _against(mine, arm, most)).items])
    return EvalState(
        line_of(results.eval, _arms(each)),
        tuple(map(_gain, gains)),
        correction(len(gains)),
        min(most, draws(results.eval.items)),
        tuple(_item(one, found, results.eval) for one, found in each),
    )


def pair_of(first: Results, second: Results, most: int = DRAWS) -> EvalPair:
    """The second eval against the first. most: resamples."""
    found = compared(first, second, most=most)
    left, right = ({item.name: item for item in _items(results)} for results in (first, second))
    changed = set(found.changed)
    pairs = (
        Pair(name, before, right[name], _change(before, right[name]))
        for name, before in left.items()
        if name in right and before.id not in changed
    )
    return EvalPair(
        line_of(first.eval, _arms(_each(first))),
        line_of(second.eval, _arms(_each(second))),
        tuple(map(_gain, found.comparisons)),
        found.correction,
        min(most, draws(found.items)),
        tuple(pairs),
        {why: len(ids) for why, ids in found.unpaired.items()},
    )


_Each = Sequence[tuple[Answered, Mapping[Arm, Verdict]]]


def _each(results: Results) -> _Each:
    return [(one, verdicts(one, results.eval.vote)) for one in results.answered]


def _items(results: Results) -> Iterator[ItemLine]:
    return (_item(one, found, results.eval) for one, found in _each(results))


def _answers(each: _Each) -> Mapping[Arm, list[Answer]]:
    """As much of the answers as accuracy is made of."""
    found: dict[Arm, list[Answer]] = {}
    for one, arms in each:
        for arm, verdict in arms.items():
            if verdict.right is not None:
                word: Literal["right", "wrong"] = "right" if verdict.right else "wrong"
                found.setdefault(arm, []).append(Answer(one.item.id, arm, one.replicate, word))
    return found


def _arms(each: _Each) -> tuple[ArmLine, ...]:
    known = _answers(each)
    return tuple(_arm(arm, each, known.get(arm, [])) for arm in ARMS if any(arm in found for _, found in each))


def _arm(arm: Arm, each: _Each, known: Sequence[Answer]) -> ArmLine:
    share = pooled(by_item(known).values())
    verdict = [(one, found[arm]) for one, found in each if arm in found]
    changes = [_changed(one, found) for one, found in verdict] if arm == "refined" else []
    return ArmLine(
        arm,
        share.share,
        (share.interval.low, share.interval.high),
        sum(one.right for one in known),
        len(known),
        sum(_outcome(found, _sitting(one, arm), live=True) == "failed" for one, found in verdict),
        changes.count("repaired"),
        changes.count("broken"),
        sum((found.usage for _, found in verdict if found.right is not None), Usage()),
    )


def _against(mine: Mapping[Arm, list[Answer]], arm: Arm, most: int) -> Comparison:
    return compare("refined", mine.get("refined", []), arm, mine.get(arm, []), most=most)


def _gain(one: Comparison) -> Gain:
    assert one.difference is not None  # noqa: S101
    mean, (low, high) = one.difference.mean, one.difference.interval
    return Gain(one.ours, one.theirs, one.items, mean, (low, high), one.better, one.worse, one.p, one.p_corrected)


def _item(one: Answered, found: Mapping[Arm, Verdict], row: EvalRow) -> ItemLine:
    parts = [part for part in (one.refined, one.samples) if part is not None]
    arms = ARMS if row.control else ARMS[:1]
    usage = sum((part.usage for part in parts), Usage())
    return ItemLine(
        one.item.id,
        one.replicate,
        one.item.gold,
        found["refined"].answer if "refined" in found else None,
        {arm: _outcome(found.get(arm), _sitting(one, arm), live=_live(row)) for arm in arms},
        _changed(one, found["refined"]) if "refined" in found else "",
        one.refined.run if one.refined else None,
        one.samples.run if one.samples else None,
        usage.tokens,
        usage.cost_usd,
        next((part.failure for part in parts if part.failure), ""),
    )


def _sitting(one: Answered, arm: Arm) -> Sitting | None:
    return one.refined if arm == "refined" else one.samples


def _outcome(verdict: Verdict | None, sitting: Sitting | None, *, live: bool) -> Outcome:
    if verdict is None or (verdict.right is None and not verdict.failure):
        return "running" if live and sitting and not sitting.over else "pending"
    marks = sitting.marks if sitting else ()
    return outcome(verdict, next((mark for mark in marks if mark.place == verdict.place), None))


def _changed(one: Answered, refined: Verdict) -> Change:
    marks = one.refined.marks if one.refined else ()
    first = next((mark.right for mark in marks if mark.place == (0, 0)), None)
    if refined.right is None or first is None or first == refined.right:
        return ""
    return "repaired" if refined.right else "broken"


def _change(first: ItemLine, second: ItemLine) -> Any:
    right = [
        None if (word := item.outcomes["refined"]) not in ("right", "wrong", "unreadable") else word == "right"
        for item in (first, second)
    ]
    if None in right:
        return ""
    return "same" if right[0] == right[1] else "better" if right[1] else "worse"


def _live(row: EvalRow) -> bool:
    return row.status == "running"
