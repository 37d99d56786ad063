"""`refiner tune`: optimise a prompt on examples with right answers; the prompt on standard output."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from refiner.cli.code import Target
from refiner.cli.flags import ASKING, ITEMS, LIMITS, MODELS, with_options
from refiner.cli.inputs import read_input
from refiner.cli.options import Context, common
from refiner.cli.solve import driven, in_loop, printed, solved, staged
from refiner.domain.errors import RefinerError, UsageError

if TYPE_CHECKING:
    from refiner.domain.state import RunState


class Split(click.ParamType[tuple[int, ...]]):
    """Three numbers, such as 50,100,100."""

    name = "split"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        words = str(value).split(",")
        if len(words) != 3 or not all(word.strip().isdecimal() for word in words) or not int(words[0]):
            self.fail(f'"{value}" is no TRAIN,VALIDATION,TEST: three numbers of items, such as 50,100,100', param, ctx)
        return tuple(map(int, words))


@click.command()
@click.argument("prompt", metavar="[PROMPT_FILE|-]", required=False)
@click.option("--data", multiple=True, metavar="DATASET", help="Examples, as eval run reads them; may be said again.")
@click.option("--split", type=Split(), metavar="TRAIN,VALIDATION,TEST", help="Items of each, drawn by --seed.  [1:2:2]")
@click.option("--batch", type=click.IntRange(1), default=3, metavar="N", help="Examples a step learns from.  [3]")
@click.option("--epochs", type=click.IntRange(1), default=3, metavar="N", help="How often it learns from each.  [3]")
@with_options(ITEMS)
@click.option("-o", "--output", "file", type=click.Path(path_type=Path), metavar="FILE", help="Write the prompt there.")
@click.option("-i", "--in-place", is_flag=True, help="Write the prompt back, and keep the old one beside it.")
@with_options((*MODELS, *LIMITS))
@click.option("--jsonl", is_flag=True, help="Print every event as a line of JSON, the result last.")
@click.option("--resume", metavar="RUN", help="Go on with an interrupted run; its examples are kept with it.")
@with_options(ASKING)
@click.option("--tui", is_flag=True, help="Watch and steer it in the terminal UI; leaving that ends no run.")
@common
def tune(
    context: Context,
    /,
    prompt: str | None,
    data: tuple[str, ...],
    split: tuple[int, ...] | None,
    batch: int,
    epochs: int,
    limit: int | None,
    sample: int | None,
    ids: tuple[str, ...],
    mapped: str | None,
    file: Path | None,
    in_place: bool,
    jsonl: bool,
    resume: str | None,
    dry_run: bool,
    yes: bool,
    no_input: bool,
    tui: bool,
    **flags: object,
) -> int:
    """Optimise the system prompt in PROMPT_FILE for questions such as those of the data sets.

    --model answers under the prompt; --critic-model says how it should change, and rewrites it. An update that answers
    fewer validation items is taken back. The test set is asked before and after.
    """
    if tui:
        staged(jsonl=jsonl, dry_run=dry_run)
    if resume:
        said = {"data": data, "split": split, "map": mapped, "in_place": in_place, "dry_run": dry_run, **flags}
        given = ["PROMPT_FILE"] * (prompt is not None)
        given += [f"--{name.replace('_', '-')}" for name, value in said.items() if value not in (None, (), False)]
        if given == ["--in-place"]:
            raise UsageError("--resume takes no -i, for the run does not know the file: -o writes it")
        if given:
            raise UsageError(f"--resume takes no {given[0]}: the run has its own")
        return in_loop(partial(_resumed, context, resume, Target(file=file), jsonl=jsonl, tui=tui))
    if not data:
        raise UsageError("name the examples: --data bbh:PATH, --data FILE, or one of refiner.toml")
    loaded = context.load(flags)
    from refiner.app.plan import plan_of, task_of
    from refiner.app.source import Source
    from refiner.evals.options import Wanted
    from refiner.evals.tuning import tuning_of
    from refiner.providers.connect import resolve

    settings = loaded.settings
    text = read_input(prompt, context.note)
    source = Source.read(Path(prompt)) if prompt and prompt != "-" and Path(prompt).is_file() else None
    if in_place and source is None:
        raise UsageError("-i needs a file with the prompt: -o writes it elsewhere")
    every = tuple(name for names in ids for name in names.split(",") if name)
    items = Wanted(data, limit, sample, every, mapped).items(settings)
    tuning = tuning_of(items, split, seed=settings.seed, batch=batch, epochs=epochs)
    plan = plan_of(task_of(text, "text"), settings, resolve(settings, loaded.paths), tuning)
    target = Target(source, file, in_place)
    with target.held():
        tell = partial(_told, context, target, jsonl=jsonl)
        ways = {"jsonl": jsonl, "tui": tui, "dry_run": dry_run, "yes": yes, "no_input": no_input}
        return in_loop(partial(solved, context, loaded, plan, tell, **ways))


async def _resumed(context: Context, prefix: str, target: Target, *, jsonl: bool, tui: bool) -> int:
    from refiner.app.world import opened
    from refiner.domain.state import fold

    loaded = context.loaded
    async with opened(loaded.settings, loaded.paths) as world:
        run = await world.store.find(prefix)
        state = fold(await world.store.events(run))
        if state.plan is None or state.plan.tuning is None:
            raise UsageError(f"run {run} tunes no prompt: `refiner run resume {run}` goes on with it")
        with target.held():
            if state.status == "done" and state.finished:
                context.note(f"run {run} is done; there is nothing to resume")
                return _told(context, target, run, state, None, jsonl=jsonl)
            await world.store.claim(run)
            tell = partial(_told, context, target, jsonl=jsonl)
            return await driven(context, world, run, tell, jsonl=jsonl, tui=tui)


def _told(
    context: Context, target: Target, run: str, state: "RunState", failure: RefinerError | None, *, jsonl: bool
) -> int:
    from refiner.domain.result import result_of
    from refiner.evals.tuning import tested

    if (found := tested(state)) is not None:
        context.note(str(found))
    more = {"schema": "refiner.tune/1", "test": found and found.to_json()}
    return printed(context, result_of(run, state), target, jsonl=jsonl, failure=failure, more=more)
