"""`refiner replay`: what other rules would have made of what is stored."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from refiner.cli import output
from refiner.cli.options import Context, common
from refiner.domain.errors import NotFoundError

if TYPE_CHECKING:
    from refiner.evals.replay import Outcome, Score
    from refiner.evals.rules import Rule
    from refiner.evals.trajectory import Trajectory
    from refiner.store.sql import SqlStore

SCHEMA = "refiner.replay/1"
VOTES = ("first", "last", "majority", "finals", "weighted", "best")
GATES = ("recorded", "open", "readable", "scored", "strict")


@click.command()
@click.argument("sources", metavar="RUN|EVAL|FILE.jsonl…", nargs=-1, required=True)
@click.option("--until", "untils", multiple=True, metavar="EXPR", help="A stop rule; none is all that was recorded.")
@click.option("--vote", "votes", multiple=True, type=click.Choice(VOTES), help="How the answer is chosen.  [majority]")
@click.option("--gate", "gates", multiple=True, type=click.Choice(GATES), help="Which updates replace.  [recorded]")
@click.option("--grid", is_flag=True, help="Every stop rule and vote that the record can decide something about.")
@click.option("--items", is_flag=True, help="Say it item by item; so does -v.")
@common
def replay(
    context: Context,
    sources: tuple[str, ...],
    untils: tuple[str, ...],
    votes: tuple[str, ...],
    gates: tuple[str, ...],
    grid: bool,
    items: bool,
) -> None:
    """Score other stop, gate and vote rules on stored trajectories: no model call.

    RUN is a stored run, EVAL all that a stored eval has refined, FILE.jsonl trajectories in the form of docs/replay.md
    or the lines of `refiner run export`. Every combination of an --until, a --vote and a --gate is one rule.
    """
    from refiner.evals.replay import replay as score
    from refiner.evals.statistics import holm

    trajectories = [one for source in sources for one in _read(context, source)]
    rules = _rules(context, trajectories, untils, votes, gates, grid=grid)
    each = items or context.verbose
    scores = score(trajectories, rules, keep=each)
    corrected = holm([1.0 if one.p is None else one.p for one in scores])
    if context.json:
        told = [_told(one, p, each=each) for one, p in zip(scores, corrected, strict=True)]
        return output.json_line({"schema": SCHEMA, "items": len(trajectories), "rules": told})
    _table(scores, corrected)
    if each:
        _items(scores)
    elif any(one.undecidable for one in scores):
        context.note("undecidable items would have needed a call that was not made: --items says which, and why")
    return None


def _read(context: Context, source: str) -> Iterator["Trajectory"]:
    from refiner.cli.stored import stored
    from refiner.evals.foreign import read_trajectories
    from refiner.evals.stored import of_eval
    from refiner.evals.trajectory import trajectory

    path = Path(source)
    if path.is_file() or path.suffix in (".jsonl", ".gz") or "/" in source:
        return read_trajectories(path)

    async def found(store: "SqlStore") -> "list[Trajectory]":
        if source.startswith("e-") or (source == "@" and await _eval_is_latest(store)):
            return await of_eval(store, await store.evals.find(source))
        run = await store.find(source)
        return [trajectory(run, await store.events(run))]

    try:
        return iter(stored(context, found))
    except NotFoundError as error:
        raise NotFoundError(f"{error}; nor is there a file of that name") from None


async def _eval_is_latest(store: "SqlStore") -> bool:
    evals, runs = await store.evals.rows(1), await store.runs(1)
    return bool(evals) and (not runs or evals[0].created_at > runs[0].created_at)


def _rules(
    context: Context,
    trajectories: Sequence["Trajectory"],
    untils: Sequence[str],
    votes: Sequence[str],
    gates: Sequence[str],
    *,
    grid: bool,
) -> list["Rule"]:
    from refiner.evals.rules import Rule
    from refiner.evals.rules import grid as every
    from refiner.policies.language import parse
    from refiner.policies.presets import PRESETS

    words: list[str | None] = list(dict.fromkeys(untils)) or [None]
    if grid:
        words = list(dict.fromkeys([None, *untils, *every(max(one.plan.iterations for one in trajectories))]))
        votes = votes or ("first", "last", "majority", *(["finals"] if _several(trajectories) else []))
    known = {**PRESETS, **context.settings.policies}
    policies = {text: None if text is None else parse(text, known) for text in words}
    chosen = product(words, dict.fromkeys(votes or ["majority"]), dict.fromkeys(gates or ["recorded"]))
    return [Rule(text, policies[text], vote, gate) for text, vote, gate in chosen]


def _several(trajectories: Iterable["Trajectory"]) -> bool:
    return any(one.plan.chains > 1 for one in trajectories)


def _told(score: "Score", corrected: float, *, each: bool) -> dict[str, Any]:
    rule, known = score.rule, score.accuracy is not None
    told = {
        "until": rule.until,
        "vote": rule.vote,
        "gate": rule.gate,
        "accuracy": score.accuracy,
        "interval": score.interval,
        "repaired": score.repaired if known else None,
        "broken": score.broken if known else None,
        "p": score.p,
        "p_corrected": corrected if known else None,
        "changed": score.changed,
        "mean_calls": score.mean("calls"),
        "mean_tokens": score.mean("tokens"),
        "mean_cost_usd": score.mean("cost"),
        "undecidable": score.undecidable,
    }
    return {**told, "outcomes": [_outcome(one) for one in score.outcomes]} if each else told


def _outcome(one: "Outcome") -> dict[str, Any]:
    return {
        "id": one.id,
        "answer": one.answer,
        "right": one.right,
        "calls": None if one.undecidable or "calls" in one.missing else one.usage.calls,
        "undecidable": one.undecidable or None,
    }


def _table(scores: Sequence["Score"], corrected: Sequence[float]) -> None:
    from refiner.evals.report.words import dollars

    head = ("UNTIL", "VOTE", "GATE", "RIGHT", "95 %", "REPAIRED", "BROKEN", "P", "HOLM", "CALLS", "COST", "UNDECIDABLE")
    rows = []
    for one, adjusted in zip(scores, corrected, strict=True):
        accuracy, interval, p = one.accuracy, one.interval, one.p
        calls, cost = one.mean("calls"), one.mean("cost")
        rows.append(
            (
                one.rule.until or "(all)",
                one.rule.vote,
                one.rule.gate,
                "–" if accuracy is None else f"{accuracy:.1%}",
                "–" if interval is None else f"{interval.low:.1%}–{interval.high:.1%}",
                "–" if accuracy is None else one.repaired,
                "–" if accuracy is None else one.broken,
                "–" if p is None else f"{p:.2g}",
                "–" if p is None else f"{adjusted:.2g}",
                "–" if calls is None else f"{calls:.2f}",
                dollars(cost),
                one.undecidable or "",
            )
        )
    output.table(head, rows)


def _items(scores: Sequence["Score"]) -> None:
    rows = [
        (one.rule.until or "(all)", one.rule.vote, one.rule.gate, item.id, *what)
        for one in scores
        for item in one.outcomes
        if (what := _happened(item))
    ]
    if rows:
        output.text("")
        output.table(("UNTIL", "VOTE", "GATE", "ITEM", "WHAT", ""), rows)


def _happened(item: "Outcome") -> tuple[str, str] | None:
    if item.undecidable:
        return "undecidable", item.undecidable
    if item.right is None:
        return ("changed", item.answer or "–") if item.changed else None
    if item.right == item.first_right:
        return None
    return ("repaired" if item.right else "broken"), item.answer or "–"
