"""`refiner eval run`: a strategy and its controls over all items of a data set."""

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from refiner.cli import errors, output
from refiner.cli.flags import ASKING, FIELDS, ITEMS, LAYERS, SETTINGS, with_options
from refiner.cli.options import Context, common
from refiner.cli.progress import columns, spent
from refiner.cli.solve import confirm, in_loop
from refiner.domain.errors import RefinerError, UsageError

if TYPE_CHECKING:
    from refiner.app.forecast import Forecast
    from refiner.config.sources import Loaded
    from refiner.domain.evals import Results
    from refiner.evals.options import Options
    from refiner.evals.running import Conditions, Going
    from refiner.store.sql import SqlStore
    from refiner.strategies.drive import World

VOTES = ("own", "accepted", "finals", "iterates", "weighted")
AGAIN = ("max_calls", "max_tokens", "max_cost", "max_time", "concurrency")
"""What may be said anew of an eval that is gone on with: it holds for all of it."""


@click.command()
@click.argument("datasets", metavar="DATASET…", nargs=-1)
@with_options(ITEMS)
@click.option("--replicates", type=click.IntRange(1), metavar="N", help="How often, each time with another seed.  [1]")
@click.option("--vote", type=click.Choice(VOTES), help="How the refined answer is chosen.  [own]")
@click.option("--no-control", is_flag=True, help="Draw no samples to compare with.")
@click.option("--batch", is_flag=True, help="Send the calls of all items together, through the provider's batch API.")
@click.option("--resume", metavar="EVAL", help="Go on with an eval; limits said now hold for all of it.")
@with_options(ASKING)
@click.option("--sandbox", type=LAYERS, help="Which isolation runs foreign code.")
@with_options(SETTINGS)
@common
def run(
    context: Context,
    /,
    datasets: tuple[str, ...],
    limit: int | None,
    sample: int | None,
    ids: tuple[str, ...],
    mapped: str | None,
    replicates: int | None,
    vote: str | None,
    no_control: bool,
    batch: bool,
    resume: str | None,
    dry_run: bool,
    yes: bool,
    no_input: bool,
    sandbox: str | None,
    **flags: object,
) -> int:
    """Measure a strategy on every item of the data sets, and what the same calls and tokens do without refinement.

    DATASET is a published set (gsm8k:PATH, humaneval), a file (.jsonl, .csv, .parquet) or a [datasets.NAME] of
    refiner.toml. Limits are those of the whole eval. What was run is never paid for again: see --resume. With --batch
    calls cost what the provider asks for batches, mostly half, and each wave of them may take a day.
    """
    from refiner.evals.options import Options, Wanted, limits_of

    own = {"limit": limit, "sample": sample, "ids": ids, "map": mapped, "replicates": replicates, "vote": vote}
    if resume:
        alone = {"no_control": no_control or None, "batch": batch or None, "dry_run": dry_run or None}
        told = {**own, **alone, **flags}
        said = [name for name, value in told.items() if value not in (None, ()) and name not in AGAIN]
        if datasets or said:
            given = f"--{said[0].replace('_', '-')}" if said else "DATASET"
            raise UsageError(f"--resume takes no {given}: it goes on with what the eval was told")
    elif not datasets:
        raise UsageError("name a data set: gsm8k:PATH, humaneval, a file, or one of refiner.toml")
    # A figure that is said here is meant for the provider as well, whose own is made for one run at a time.
    wide = {f"providers.{name}.concurrency": flags["concurrency"] for name in ("openai", "anthropic")}
    loaded = context.load({**flags, **wide, **({"sandbox.layer": sandbox} if sandbox else {})})
    if resume:
        again = {name: flags[name] for name in AGAIN if flags[name] is not None}
        return in_loop(partial(_resumed, context, loaded, resume, again))
    from refiner.providers.connect import resolve

    every = tuple(name.strip() for text in ids for name in text.split(",") if name.strip())
    wanted = Wanted(tuple(map(_anywhere, datasets)), limit, sample, every, mapped)
    model, limits = resolve(loaded.settings, loaded.paths), limits_of(loaded.settings)
    options = Options(wanted, model, loaded.settings, limits, replicates or 1, not no_control, vote or "own", batch)
    return in_loop(partial(_begun, context, loaded, options, dry_run=dry_run, yes=yes, ask=not no_input))


def _anywhere(name: str) -> str:
    """A data set by a name that means the same wherever the eval is gone on with."""
    known, colon, path = name.rpartition(":")
    local = "hub:" not in name and Path(path).exists()
    return f"{known}{colon}{Path(path).absolute()}" if local else name


async def _begun(context: Context, loaded: "Loaded", options: "Options", *, dry_run: bool, yes: bool, ask: bool) -> int:
    from refiner.app.world import opened
    from refiner.cli.progress import joining
    from refiner.evals.forecast import forecast
    from refiner.evals.tasks import row_of
    from refiner.prompts import Prompts
    from refiner.providers.batch import Batched
    from refiner.providers.connect import reached
    from refiner.strategies.drive import connect_all

    items = options.wanted.items(loaded.settings)
    conditions = options.conditions(items)
    models = conditions.plan(0, 0).models
    if options.batch and any(name.partition(":")[0] == "local" for name in models.names):
        raise UsageError("the embedded model has no batch API: leave --batch out")
    bar = None if context.quiet else joining
    async with reached(models, loaded.settings, loaded.paths, bar) as providers:
        if options.batch:
            sent = [Batched(provider) for provider in providers.values()]
            for one in () if dry_run else sent:
                await one.batches.check()
            providers = {one.name: one for one in sent}
        expected = forecast(conditions, providers, Prompts(loaded.settings.prompts.folder))
    if dry_run:
        return _say_plan(context, options, len(items), expected)
    confirm(expected, loaded.settings.confirm_above, yes=yes, ask=ask)
    async with opened(loaded.settings, loaded.paths, bar) as world:
        await connect_all(world, replace(conditions.plan(0, 0), limits=options.limits))
        store = _sql(world)
        rows = [row_of(item) for item in items]
        name = await store.evals.create(options.wanted.datasets, options.to_json(), rows)
        context.note(f"eval {name}: {len(items):,} items")
        poll = loaded.settings.batch.poll if options.batch else None
        return await _driven(context, world, store, name, conditions, poll)


async def _resumed(context: Context, loaded: "Loaded", prefix: str, again: dict[str, object]) -> int:
    from refiner.app.world import opened
    from refiner.evals.options import Options, limits_of
    from refiner.evals.running import same_items

    async with opened(loaded.settings, loaded.paths) as world:
        store = _sql(world)
        name = await store.evals.find(prefix)
        results = await store.evals.results(name)
        options = Options.of(results.eval)
        settings = options.settings.model_copy(
            update={"concurrency": again.pop("concurrency")} if "concurrency" in again else {}
        )
        new = limits_of(loaded.settings)
        given = {field: getattr(new, field) for flag, field in FIELDS.items() if flag in again}
        options = replace(options, settings=settings, limits=replace(options.limits, **given))
        conditions = options.conditions(same_items(results, options.wanted.items(settings)))
        await store.evals.claim(name, options.to_json())
        poll = loaded.settings.batch.poll if options.batch else None
        return await _driven(context, world, store, name, conditions, poll)


async def _driven(
    context: Context,
    world: "World",
    store: "SqlStore",
    name: str,
    conditions: "Conditions",
    poll: float | None,
) -> int:
    """Run an eval to its end, which signals may bring about early, and print what it has found.

    poll: seconds until its batches are asked about, None without batches.
    """
    import anyio

    from refiner.autograd.concurrent import bare_errors
    from refiner.cli.eval import say
    from refiner.domain.run import Stop, StopReason
    from refiner.evals.running import Running
    from refiner.evals.waves import Waves
    from refiner.strategies.drive import SIGNALS

    live = sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    progress = Progress(live=live and not context.quiet, quiet=context.quiet, waits=lambda: waves.said if waves else "")

    def told(text: str) -> None:
        progress.clear()
        context.note(text)

    waves = Waves(world.connect, store, name, poll, told) if poll else None
    running, heard = Running(world, store, name, conditions, progress, waves), list[int]()

    async def signals() -> None:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as received:
            async for number in received:
                word = signal.Signals(number).name
                heard.append(SIGNALS[word])
                if len(heard) > 1:
                    group.cancel_scope.cancel()
                    return
                left = waves and ", ".join(waves.under_way)
                running.halt("interrupted", word, Stop(StopReason.SIGNAL, f"{word}: what was paid for is kept"))
                end = "stopping after the calls under way; once more ends it at once"
                told(f"its provider goes on with {left}" if left else end)

    try:
        with bare_errors():
            async with anyio.create_task_group() as group:
                group.start_soon(signals)
                await running.run()
                group.cancel_scope.cancel()
    except RefinerError as error:
        error.args = (f"{error}; `refiner eval run --resume {name}` goes on where it stopped",)
        raise
    finally:
        progress.clear()
    if len(heard) > 1:
        context.note(f"aborted; `refiner eval run --resume {name}` goes on where it was")
        return heard[-1]
    results = await store.evals.results(name)
    say(context, results)
    return _ended(context, results, heard)


def _ended(context: Context, results: "Results", heard: list[int]) -> int:
    """Say what is missing, and how to get it; the exit code."""
    row, failed = (
        results.eval,
        sum(bool(part.failure) for one in results.answered for part in (one.refined, one.samples) if part),
    )
    again = f"`refiner eval run --resume {row.id}`"
    match row.status:
        case "budget":
            errors.note(f"partial: {row.why}; {again} with a higher limit goes on, and pays for nothing twice")
            return 4
        case "failed":
            errors.note(f"error: {row.why}; {again} goes on where it stopped, and pays for nothing twice")
            return 5
        case "interrupted":
            context.note(f"{again} goes on where it stopped")
            return heard[0] if heard else 130
    if failed:
        errors.note(f"{failed:,} runs failed twice and are counted apart; {again} tries them again")
        return 5
    return 0


def _sql(world: "World") -> "SqlStore":
    from refiner.store.sql import SqlStore

    assert isinstance(world.store, SqlStore)  # noqa: S101
    return world.store


def _say_plan(context: Context, options: "Options", items: int, forecast: "Forecast") -> int:
    if context.json:
        told = {"schema": "refiner.eval-plan/1", "items": items, **options.to_json(), **forecast.to_json()}
        output.json_line(told)
        return 0
    control = "with samples at the same calls and tokens" if options.control else "none"
    output.text(
        f"items     {items:,} × {options.replicates}\n"
        f"model     {options.model}, strategy {options.settings.strategy}\n"
        f"control   {control}\n"
        f"least     {spent(forecast.least)}\n"
        f"expected  {spent(forecast.expected)}\n"
        f"most      {spent(forecast.most)}"
    )
    return 0


@dataclass
class Progress:
    """How far an eval is: one line that is kept up to date on a terminal, else a line for each tenth."""

    live: bool
    quiet: bool
    stream: TextIO = field(default_factory=lambda: sys.stderr)
    waits: Callable[[], str] = lambda: ""
    tenth: int = 0

    def __call__(self, going: "Going") -> None:
        if self.quiet:
            return
        if self.live:
            self.stream.write(f"\r\x1b[K{self._said(going)[: columns(self.stream) - 1]}")
            self.stream.flush()
        elif (tenth := 10 * going.over // going.parts) > self.tenth:
            self.tenth = tenth
            errors.note(self._said(going))

    def clear(self) -> None:
        if self.live:
            self.stream.write("\r\x1b[K")
            self.stream.flush()

    def _said(self, going: "Going") -> str:
        right = f", {going.right} of {going.judged} right" if going.judged else ""
        failed = f", {going.failed} failed" if going.failed else ""
        to_go, waits = "", self.waits()
        if going.to_go:
            seconds, cost = going.to_go
            to_go = f"; to go {lasting(seconds)}{'' if cost is None else f', ${cost:.2f}'}"
        return f"{waits}{waits and '; '}{going.over} of {going.parts} runs{right}{failed}, {spent(going.usage)}{to_go}"


def lasting(seconds: float) -> str:
    """A time in its two largest units, as 45 s, 12 m or 3 h 5 m."""
    minutes, hours = round(seconds / 60), int(seconds // 3600)
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{hours} h {minutes - 60 * hours} m" if hours else f"{minutes} m"
