"""The commands of `refiner run` that follow a live run, steer it, or go on from where one was."""

import getpass
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from refiner.cli import output
from refiner.cli.flags import FIELDS
from refiner.cli.options import Context, common
from refiner.cli.solve import resumed
from refiner.cli.stored import stored
from refiner.domain.errors import UsageError

if TYPE_CHECKING:
    from refiner.domain.run import Control, Limits, Rewrite
    from refiner.store.sql import SqlStore

_RUN = click.argument("run", metavar="RUN")
_JSONL = click.option("--jsonl", is_flag=True, help="Print every event as a line of JSON, the result last.")


@click.command()
@_RUN
@_JSONL
@common
def resume(context: Context, run: str, jsonl: bool) -> int:
    """Go on with RUN where it was paused or interrupted; nothing that was paid for is bought again."""
    from refiner.domain.state import fold

    async def told(store: "SqlStore") -> str | None:
        name = await store.find(run)
        if fold(await store.events(name)).status != "paused" or not await store.live(name):
            return None
        await store.ask(name, "resume", getpass.getuser())
        return name

    if (name := stored(context, told)) is None:
        return resumed(context, run, jsonl=jsonl)
    _say(context, name, "resume")
    return 0


@click.command()
@_RUN
@common
def pause(context: Context, run: str) -> None:
    """Let a live RUN start no further call until `run resume`."""
    _ask(context, run, "pause")


@click.command()
@_RUN
@common
def stop(context: Context, run: str) -> None:
    """End a live RUN and keep its best answer; take one that waits out of the queue."""
    _ask(context, run, "stop")


@click.command()
@_RUN
@common
def cancel(context: Context, run: str) -> None:
    """End RUN at once, live or waiting; it can be resumed."""
    _ask(context, run, "cancel")


@click.command()
@_RUN
@click.option("--max-calls", type=int, metavar="N", help="Calls at the most.")
@click.option("--max-tokens", type=int, metavar="N", help="Tokens at the most, in and out.")
@click.option("--max-cost", type=float, metavar="USD", help="US dollars at the most.")
@click.option("--max-time", metavar="TIME", help="How long at the most, such as 90s or 10m.")
@common
def budget(context: Context, /, run: str, **flags: object) -> None:
    """Raise or lower what a live RUN may spend; limits that are not named stay."""
    from dataclasses import replace

    from refiner.domain.state import fold

    said = context.load(flags).settings
    new = {FIELDS[flag]: getattr(said, flag) for flag, value in flags.items() if value is not None}
    if not new:
        raise UsageError("say what it may spend: --max-calls, --max-tokens, --max-cost or --max-time")

    async def limits(store: "SqlStore") -> "Limits":
        plan = fold(await store.events(await store.find(run))).plan
        if plan is None:
            raise UsageError(f"run {run} was never started")
        return replace(plan.limits, **new)

    _ask(context, run, "budget", stored(context, limits))


@click.command()
@_RUN
@click.option("--timeout", type=click.FloatRange(0), metavar="SECONDS", help="Stop watching then, with exit 124.")
@_JSONL
@common
def watch(context: Context, run: str, timeout: float | None, jsonl: bool) -> int:
    """Follow RUN in plain text until it ends; it goes on when you leave."""
    from refiner.cli.progress import Progress, closing
    from refiner.cli.watching import WAIT_TIMEOUT, follow
    from refiner.domain.result import result_of

    said = Progress(stream=sys.stdout, verbose=True, quiet=context.json)
    tell: Callable[..., None] = output.event if jsonl else said

    async def followed(store: "SqlStore") -> int:
        name = await store.find(run)
        state = await follow(store, name, tell, lambda why: context.note(f"{why}; it is waited for"), timeout)
        if state is None:
            context.note(f"run {name} goes on")
            return WAIT_TIMEOUT
        result = result_of(name, state)
        if context.json or jsonl:
            output.json_line({**({"type": "result"} if jsonl else {}), **result.to_json()})
        if result.status == "failed":
            context.note(result.stop.detail)
        context.note(closing(result))
        return result.exit

    return stored(context, followed)


@click.command()
@click.argument("place", metavar="RUN@ITERATION")
@click.option("--critique", metavar="TEXT|FILE", help="What the critic is to have said.")
@click.option("--gradient", metavar="TEXT|FILE", help="What the gradient is to say.")
@click.option("--answer", metavar="TEXT|FILE", help="What the candidate is to be.")
@_JSONL
@common
def fork(
    context: Context, place: str, critique: str | None, gradient: str | None, answer: str | None, jsonl: bool
) -> int:
    """Begin a new run where RUN was at ITERATION (2, or 1/2 for that of chain 1), with a text of it changed."""
    from refiner.strategies.fork import Edit, forked

    prefix, _, at = place.rpartition("@")
    chain, _, index = at.rpartition("/")
    if not prefix or not index.isdecimal() or (chain and not chain.isdecimal()):
        raise UsageError(f'"{place}" names no iteration: write RUN@ITERATION, as in @@2 or r-7f3k@1/2')
    if sum(text is not None for text in (critique, gradient, answer)) > 1:
        raise UsageError("a fork changes one text: leave all but one of --critique, --gradient and --answer out")
    edit = Edit(*(None if text is None else _text(text) for text in (critique, gradient, answer)))

    async def made(store: "SqlStore") -> str:
        run = await store.find(prefix)
        events = forked(run, await store.events(run), int(chain or 0), int(index), edit)
        name = await store.new_id()
        await store.create(name)
        await store.append(name, events)
        return name

    return resumed(context, stored(context, made), jsonl=jsonl)


@click.command()
@_RUN
@click.option("--seconds", type=click.FloatRange(0), metavar="N", help="At the most; tui.hold where it is not said.")
@common
def hold(context: Context, run: str, seconds: float | None) -> None:
    """Let the next critique of a live RUN wait before it is used, so that `run edit` can change it."""
    from refiner.domain.run import Limits

    _ask(context, run, "hold", Limits(seconds=context.settings.tui.hold if seconds is None else seconds))


@click.command()
@_RUN
@click.argument("critique", metavar="TEXT|FILE")
@common
def edit(context: Context, run: str, critique: str) -> None:
    """Put another CRITIQUE in the place of the one that waits in a held or paused RUN; a blank one is a veto."""
    from refiner.domain.run import Rewrite
    from refiner.domain.run_model import model_of

    async def waiting(store: "SqlStore") -> Rewrite:
        model = model_of(await store.events(await store.find(run)))
        state = model.state
        open_ = (
            filter(None, map(model.critique, sorted(state.chains))) if state.held or state.status == "paused" else ()
        )
        said = next((each for each in open_ if state.held is None or each.at == state.held[0]), None)
        if said is None:
            raise UsageError(f"no critique waits in run {run}: `refiner run hold` lets the next one wait")
        return Rewrite(said.chain, int(said.at.partition("/")[2]), _text(critique))

    _ask(context, run, "edit", stored(context, waiting))


COMMANDS = (resume, pause, stop, cancel, budget, hold, edit, watch, fork)

_TO = {
    "budget": "keep to its new budget",
    "hold": "wait with its next critique",
    "edit": "use the edited critique",
}


def _text(word: str) -> str:
    from refiner.app.disk import contents

    path = Path(word)
    try:
        return contents(path).decode("utf-8") if len(word) < 256 and path.is_file() else word
    except UnicodeDecodeError as error:
        raise UsageError(f"{word} is not UTF-8") from error


def _ask(context: Context, run: str, control: "Control", told: "Limits | Rewrite | None" = None) -> None:
    async def asked(store: "SqlStore") -> str:
        name = await store.find(run)
        await store.ask(name, control, getpass.getuser(), told)
        return name

    _say(context, stored(context, asked), control)


def _say(context: Context, run: str, control: "Control") -> None:
    if context.json:
        output.json_line({"id": run, "asked": control})
    context.note(f"asked run {run} to {_TO.get(control, control)}")
