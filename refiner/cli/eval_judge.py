"""`refiner eval judge`: answers without a reference, judged by models of other providers."""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from refiner.cli import errors, output
from refiner.cli.options import Context, common
from refiner.cli.solve import in_loop
from refiner.domain.errors import UsageError
from refiner.domain.evals import CONTROLS

if TYPE_CHECKING:
    from refiner.config.sources import Loaded
    from refiner.evals.judging import Bench, Judged

SCHEMA = "refiner.eval-judge/1"


@click.command()
@click.argument("name", metavar="EVAL")
@click.option("--judge", "judges", multiple=True, required=True, metavar="MODEL", help="Who judges; two are compared.")
@click.option("--rubric", type=click.Path(path_type=Path), metavar="FILE", help="What counts, in words.")
@click.option("--against", type=click.Choice(CONTROLS), default="zero-shot", show_default=True, help="Which control.")
@click.option("--max-calls", type=click.IntRange(1), metavar="N", help="Calls of each judge at the most.")
@click.option("--max-tokens", type=click.IntRange(1), metavar="N", help="Tokens of each judge at the most.")
@click.option("--max-cost", type=click.FloatRange(0), metavar="USD", help="US dollars of each judge at the most.")
@common
def judge(
    context: Context,
    /,
    name: str,
    judges: tuple[str, ...],
    rubric: Path | None,
    against: Literal["zero-shot", "same-calls", "same-tokens"],
    **limits: float | None,
) -> int:
    """Have models judge the refined answers of EVAL against a control's, each pair in both orders.

    The same words again go on where a judge was ended, and pay for nothing twice.
    """
    loaded = context.load(dict(limits))
    text = _read(rubric) if rubric else ""
    return in_loop(partial(_judged, context, loaded, name, tuple(dict.fromkeys(judges)), text, against))


async def _judged(
    context: Context,
    loaded: "Loaded",
    name: str,
    judges: tuple[str, ...],
    rubric: str,
    against: Literal["zero-shot", "same-calls", "same-tokens"],
) -> int:
    from refiner.app.world import opened
    from refiner.evals.judging import Bench, judged
    from refiner.evals.options import limits_of
    from refiner.evals.pairs import pairs_of
    from refiner.store.sql import SqlStore

    settings = loaded.settings
    bench = Bench(rubric, limits_of(settings), settings.concurrency, settings.base_url, settings.max_output_tokens)
    async with opened(settings, loaded.paths) as world:
        assert isinstance(world.store, SqlStore)  # noqa: S101
        results = await world.store.evals.results(await world.store.evals.find(name))
        pairs = await pairs_of(world.store, results, against)
        for one in judges:
            if _provider(one) == _provider(results.eval.model):
                errors.note(
                    f"warning: {one} judges answers of {results.eval.model}, its own provider's, and judges prefer "
                    "their own: choose a judge of another"
                )
        title = f"Judge of eval {results.eval.id}: refined against {against}"
        found = [await judged(world, title, one, pairs, bench) for one in judges]
    _say(context, found, results.eval.id, against, bench)
    if any(one.stop for one in found):
        errors.note(f"partial: {next(one.stop for one in found if one.stop)}; the same command goes on")
        return 4
    return 0


def _say(context: Context, found: "list[Judged]", name: str, against: str, bench: "Bench") -> None:
    from refiner.cli.progress import spent
    from refiner.evals.judging import agreement, score
    from refiner.evals.report.words import percent, points
    from refiner.evals.statistics import holm

    scores = [score(one) for one in found]
    corrected = holm([one.p for one in scores])
    kappas = agreement(found)
    if context.json:
        told: dict[str, Any] = {"schema": SCHEMA, "eval": name, "against": against, "rubric": bench.rubric or None}
        judges = [
            {"judge": one.judge, "run": one.run, "pairs": one.pairs, "judged": len(one.judgements), **asdict(figures)}
            | {"p_corrected": p, "usage": asdict(one.usage), "stop": one.stop or None}
            | {"words": [[each.pair.item, each.pair.replicate, each.word] for each in one.judgements]}
            for one, figures, p in zip(found, scores, corrected, strict=True)
        ]
        return output.json_line(told | {"judges": judges, "kappa": [asdict(one) for one in kappas]})
    head = ("JUDGE", "PAIRS", "WON", "LOST", "TIED", "SPLIT", "UNREADABLE", "NET", "95 %", "P", "HOLM", "ORDERS AGREE")
    rows = [
        (
            one.judge,
            f"{len(one.judgements)} of {one.pairs}",
            *figures.counts.values(),
            points(figures.net.mean) if figures.net else "–",
            f"{points(figures.net.interval.low)} to {points(figures.net.interval.high)}" if figures.net else "–",
            f"{figures.p:.2g}",
            f"{p:.2g}",
            percent(figures.agree),
            percent(figures.first),
            percent(figures.longer),
            spent(one.usage),
        )
        for one, figures, p in zip(found, scores, corrected, strict=True)
    ]
    output.table((*head, "FIRST SHOWN", "LONGER WINS", "USED"), rows)
    for one in kappas:
        kappa = "–" if one.kappa is None else f"{one.kappa:.2f}"
        output.text(f"{one.first} and {one.second} agree on {percent(one.agree)} of {one.pairs} pairs, kappa {kappa}")
    return None


def _provider(model: str) -> str:
    return model.partition(":")[0]


def _read(path: Path) -> str:
    try:
        text = path.read_text("utf-8").strip()
    except FileNotFoundError:
        raise UsageError(f"there is no file {path} with a rubric") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the rubric {path} cannot be read as UTF-8 text: {error}") from error
    if not text:
        raise UsageError(f"the rubric {path} is empty: say in words what a good answer does")
    return text
