"""`refiner eval`: measure a strategy on a data set; list evals and look at them."""

from typing import TYPE_CHECKING, Any

import click

from refiner.cli import errors, output
from refiner.cli.eval_judge import judge
from refiner.cli.eval_report import compare, report
from refiner.cli.eval_run import run
from refiner.cli.groups import Noun
from refiner.cli.options import Context, common
from refiner.cli.stored import stored

if TYPE_CHECKING:
    from refiner.domain.evals import Answered, EvalRow, Results, Verdict
    from refiner.store.sql import SqlStore

SCHEMA = "refiner.eval-items/1"


@click.group(cls=Noun)
def eval() -> None:  # noqa: A001
    """Measure a strategy on a data set, with controls."""


eval.add_command(run)
eval.add_command(report)
eval.add_command(judge)
eval.add_command(compare)


@eval.command("list")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="How many of the latest.")
@common
def list_evals(context: Context, limit: int) -> None:
    """The latest evals, newest first."""
    rows = stored(context, lambda store: store.evals.rows(limit))
    if context.json:
        output.json_line([told(row) for row in rows])
    elif not rows:
        context.note("there is no eval yet: refiner eval run makes one")
    else:
        from refiner.domain.calls import short
        from refiner.domain.evals import sets

        head = ("EVAL", "STATUS", "STRATEGY", "RUNS", "CALLS", "TOKENS", "COST", "STARTED", "MODEL", "DATA SETS")
        output.table(
            head,
            [
                (
                    row.id,
                    row.status,
                    row.strategy,
                    f"{row.over} of {row.parts}",
                    row.usage.calls,
                    short(row.usage.tokens),
                    "unknown" if row.usage.cost_usd is None else f"${row.usage.cost_usd:.4f}",
                    f"{row.created_at.astimezone():%m-%d %H:%M}",
                    row.model,
                    sets(row.datasets),
                )
                for row in rows
            ],
        )


@eval.command()
@click.argument("name", metavar="EVAL")
@click.option("--items", is_flag=True, help="Say it item by item; so does -v.")
@common
def show(context: Context, name: str, items: bool) -> None:
    """What EVAL has found so far: its strategy and the controls, and with --items each answer.

    EVAL is an id, the beginning of one, or @ for the latest.
    """

    async def read(store: "SqlStore") -> "Results":
        return await store.evals.results(await store.evals.find(name))

    say(context, stored(context, read), items=items or context.verbose)


@eval.command()
@click.argument("names", metavar="EVAL…", nargs=-1, required=True)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@common
def rm(context: Context, names: tuple[str, ...], yes: bool) -> None:
    """Delete each EVAL with all of its runs."""

    async def found(store: "SqlStore") -> list[str]:
        return [await store.evals.find(name) for name in names]

    async def removed(store: "SqlStore") -> None:
        for name in own:
            await store.evals.remove(name)

    own = list(dict.fromkeys(stored(context, found)))
    errors.confirm_deletion(own, yes=yes)
    stored(context, removed)
    if context.json:
        output.json_line({"deleted": own})
    context.note(f"deleted {', '.join(own)}")


def say(context: Context, results: "Results", *, items: bool = False) -> None:
    """Print an eval as `eval show` does, and as `eval run` does at its end."""
    from refiner.cli.progress import spent
    from refiner.domain.calls import short
    from refiner.evals.arms import NO_GOLD, rights, tallies, verdicts
    from refiner.evals.repeated import gains, pooled, sign_flip

    row = results.eval
    arms = tallies(results)
    if context.json:
        each = {"answered": [_item(one, row.vote) for one in results.answered]} if items else {}
        figures = {arm: _figures(tally) for arm, tally in arms.items()}
        return output.json_line({"schema": SCHEMA, **told(row), "arms": figures, **each})
    why = f": {row.why}" if row.why else ""
    output.text(
        f"eval      {row.id}, {row.status}{why}\n"
        f"set       {' '.join(row.datasets)}, {row.items} items × {row.replicates}\n"
        f"model     {row.model}, strategy {row.strategy}, vote {row.vote}\n"
        f"over      {row.over} of {row.parts} runs\n"
        f"used      {spent(row.usage)}, {row.seconds:.1f} s"
    )
    if not row.control:
        output.text(
            "control   none (--no-control): nothing says what the same calls would have done without refinement"
        )
    table, found = [], rights(results)
    ours = found.get("refined", {})
    for arm, tally in arms.items():
        judged, theirs = tally.judged, found.get(arm, {})
        share = pooled(theirs.values())
        both = ours.keys() & theirs.keys()
        p = sign_flip(gains([ours[item] for item in both], [theirs[item] for item in both]))
        table.append(
            (
                arm,
                f"{share.share:.1%}" if share.share is not None else "–",
                f"{share.interval.low:.1%}–{share.interval.high:.1%}" if judged else "–",
                f"{tally.right} of {judged}",
                tally.failed or "",
                "" if arm == "refined" else f"+{tally.gained} −{tally.lost}",
                "" if arm == "refined" else f"{p:.2g}",
                f"{tally.usage.calls / judged:.2f}" if judged else "–",
                short(round(tally.usage.tokens / judged)) if judged else "–",
            )
        )
    every = (verdict for one in results.answered for verdict in verdicts(one, row.vote).values())
    if not found and any(verdict.failure == NO_GOLD for verdict in every):
        output.text(f"right     nothing says what is: `refiner eval judge {row.id}` compares the refined answers")
    output.table(("ARM", "RIGHT", "95 %", "ITEMS", "FAILED", "REFINED", "P", "CALLS", "TOKENS"), table)
    if items:
        _items(results, {id(one): verdicts(one, row.vote) for one in results.answered})
    return None


def told(row: "EvalRow") -> dict[str, Any]:
    """An eval as a line of JSON."""
    from dataclasses import asdict

    times = {"created_at": row.created_at.isoformat(), "updated_at": row.updated_at.isoformat()}
    return {**asdict(row), **times, "parts": row.parts}


def _figures(tally: Any) -> dict[str, Any]:
    from dataclasses import asdict

    return {**asdict(tally), "accuracy": tally.right / tally.judged if tally.judged else None}


def _item(one: "Answered", vote: str) -> dict[str, Any]:
    from dataclasses import asdict

    from refiner.evals.arms import verdicts

    runs = {"refined": one.refined and one.refined.run, "samples": one.samples and one.samples.run}
    arms = {arm: asdict(verdict) for arm, verdict in verdicts(one, vote).items()}
    return {"item": one.item.id, "replicate": one.replicate, "gold": one.item.gold, "runs": runs, "arms": arms}


def _items(results: "Results", every: dict[int, Any]) -> None:
    from refiner.evals.arms import NO_GOLD

    names = list(dict.fromkeys(arm for found in every.values() for arm in found))
    rows = []
    for one in results.answered:
        found = every[id(one)]
        run = one.refined.run if one.refined else None
        why = next((each.failure for each in found.values() if each.failure not in ("", NO_GOLD)), "")
        rows.append((one.item.id, one.replicate, run or "–", *(_word(found.get(arm)) for arm in names), why[:60]))
    output.text("")
    failures = "WHY" if any(row[-1] for row in rows) else ""
    output.table(("ITEM", "", "RUN", *(name.upper() for name in names), failures), rows)


def _word(verdict: "Verdict | None") -> str:
    from refiner.evals.arms import NO_GOLD

    if verdict is not None and verdict.failure == NO_GOLD:
        return f"{verdict.answer or ''}"[:40].rstrip()
    if verdict is None or (verdict.right is None and not verdict.failure):
        return "to come"
    if verdict.right is None:
        return "failed"
    return f"{'✓' if verdict.right else '✗'} {verdict.answer or ''}"[:40].rstrip()
