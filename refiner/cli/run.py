"""`refiner run`: look at stored runs, go on with them, end them, take them out or away."""

import difflib
from typing import TYPE_CHECKING

import click

from refiner.cli import errors, output
from refiner.cli.groups import Noun
from refiner.cli.options import Context, common
from refiner.cli.steer import COMMANDS
from refiner.cli.stored import stored
from refiner.domain.errors import NoAnswerError, NotFoundError, UsageError

if TYPE_CHECKING:
    from refiner.domain.result import Iteration, Result
    from refiner.domain.state import RunState
    from refiner.store.sql import SqlStore

_RUN = click.argument("run", metavar="RUN")


@click.group(cls=Noun)
def run() -> None:
    """List, show, compare, resume and remove runs."""


@run.command("list")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="How many of the latest.")
@common
def list_runs(context: Context, limit: int) -> None:
    """The latest runs, newest first."""
    rows = stored(context, lambda store: store.runs(limit))
    if context.json:
        output.json_line([row.to_json() for row in rows])
    elif not rows:
        context.note("there is no run yet: refiner solve makes one")
    else:
        from refiner.domain.calls import short

        head = ("RUN", "STATUS", "STRATEGY", "CALLS", "TOKENS", "COST", "STOPPED", "STARTED", "TASK")
        output.table(
            head,
            [
                (
                    row.id,
                    "live" if row.live else row.status,
                    row.strategy,
                    row.calls,
                    short(row.tokens),
                    "unknown" if row.cost_usd is None else f"${row.cost_usd:.4f}",
                    row.stop or "",
                    f"{row.created_at.astimezone():%m-%d %H:%M}",
                    row.title,
                )
                for row in rows
            ],
        )


@run.command()
@_RUN
@common
def show(context: Context, run: str) -> None:
    """How RUN went: its iterations, votes and usage."""
    result = stored(context, lambda store: _result(store, run))
    if context.json:
        output.json_line(result.to_json())
        return
    from refiner.cli.progress import spent

    output.text(
        f"run       {result.id}, {result.status}\n"
        f"task      {result.kind}: {result.title}\n"
        f"strategy  {result.strategy}\n"
        f"models    answer {result.models.answer}, critic {result.models.critic}, updater {result.models.updater}\n"
        f"stopped   {result.stop.reason}: {result.stop.detail}\n"
        f"used      {spent(result.usage)}{', estimated' if result.usage.estimated else ''}, {result.seconds:.1f} s"
    )
    for vote in result.votes or ():
        output.text(f"vote      {vote.voters} × {output.line(vote.answer)}")
    output.table(
        ("STEP", "", "SCORE", "READ", "WHY"),
        [
            (
                f"{each.chain}/{each.index}",
                "✓" if each.accepted else "✗",
                "" if each.score is None else f"{each.score:.2f}",
                _read(each),
                each.reason,
            )
            for each in result.iterations
        ],
    )
    for note in result.notes:
        output.text(f"note      {output.line(note)}")
    if result.parsed is not None and result.kind != "code":
        output.text(f"answer    {output.line(result.parsed)[:200]}")


def _read(iteration: "Iteration") -> str:
    if iteration.tests is not None:
        return f"{iteration.tests.passed} of {iteration.tests.total} tests"
    return " ".join((iteration.parsed or "–").split())[:40]


@run.command()
@_RUN
@common
def answer(context: Context, run: str) -> None:
    """The answer of RUN, as solve printed it."""
    result = stored(context, lambda store: _result(store, run))
    if result.answer is None:
        raise NoAnswerError(f"run {result.id} has no answer: {result.stop.detail}")
    if context.json:
        output.json_line({"id": result.id, "answer": result.answer, "parsed": result.parsed})
    elif result.kind == "code":
        output.code(result.answer.encode("utf-8", "backslashreplace"))
    else:
        output.text(result.answer)


@run.command()
@_RUN
@click.argument("versions", metavar="[A..B]", required=False)
@common
def diff(context: Context, run: str, versions: str | None) -> None:
    """What changed between two versions of RUN's answer: 0/0..0/2 (chain/index), or 0..2 in the first chain.

    Without A..B, from the first draft to the answer.
    """
    state = stored(context, lambda store: _state(store, run))
    texts = {
        f"{step.candidate.chain}/{step.candidate.index}": step.candidate.text
        for chain in state.chains.values()
        for step in chain.steps
    }
    first, last = _versions(versions, state, texts)
    lines = difflib.unified_diff(
        texts[first].splitlines(), texts[last].splitlines(), f"{run} {first}", f"{run} {last}", lineterm=""
    )
    changed = "\n".join(lines)
    if context.json:
        output.json_line({"from": first, "to": last, "diff": changed})
    elif changed:
        output.text(changed)
    else:
        context.note(f"{first} and {last} are the same")


@run.command()
@_RUN
@common
def log(context: Context, run: str) -> None:
    """Every call of RUN: role, model, tokens, cost, time; with -v its messages and the reply."""

    async def calls(store: "SqlStore") -> "list[CallRow]":
        return await store.run_calls(await store.find(run))

    from dataclasses import asdict

    from refiner.store.reading import CallRow

    rows = stored(context, calls)
    if context.json:
        output.json_line([asdict(row) for row in rows])
        return
    head = ("CALL", "MODEL", "IN", "CACHED", "OUT", "COST", "SECONDS", "")
    for block in [[row] for row in rows] if context.verbose else [rows]:
        output.table(
            head,
            [
                (
                    f"{row.key}#{row.attempt}",
                    row.model,
                    row.usage.input_tokens if row.usage else "",
                    row.usage.cached_input_tokens if row.usage else "",
                    row.usage.output_tokens if row.usage else "",
                    "" if row.usage is None or row.usage.cost_usd is None else f"${row.usage.cost_usd:.5f}",
                    "" if row.seconds is None else f"{row.seconds:.2f}",
                    row.error or row.finish or "under way",
                )
                for row in block
            ],
        )
        for row in block if context.verbose else ():
            for message in row.messages:
                output.text(f"── {message.role}\n{message.text}")
            output.text(f"── reply\n{row.reply or ''}\n")


@run.command()
@click.argument("runs", metavar="RUN…", nargs=-1, required=True)
@common
def export(context: Context, runs: tuple[str, ...]) -> None:
    """Every event of each RUN as lines of JSON."""

    async def events(store: "SqlStore") -> None:
        for prefix in runs:
            for recorded in await store.events(await store.find(prefix)):
                output.event(recorded)

    stored(context, events)


@run.command()
@click.argument("runs", metavar="RUN…", nargs=-1, required=True)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@common
def rm(context: Context, runs: tuple[str, ...], yes: bool) -> None:
    """Delete each RUN and all that is known of it."""

    async def found(store: "SqlStore") -> list[str]:
        return [await store.find(prefix) for prefix in runs]

    names = list(dict.fromkeys(stored(context, found)))
    errors.confirm_deletion(names, yes=yes)

    async def removed(store: "SqlStore") -> None:
        for name in names:
            await store.remove(name)

    stored(context, removed)
    if context.json:
        output.json_line({"deleted": names})
    context.note(f"deleted {', '.join(names)}")


async def _state(store: "SqlStore", prefix: str) -> "RunState":
    from refiner.domain.state import fold

    return fold(await store.events(await store.find(prefix)))


async def _result(store: "SqlStore", prefix: str) -> "Result":
    from refiner.domain.result import result_of
    from refiner.domain.state import fold

    run = await store.find(prefix)
    state = fold(await store.events(run))
    if state.plan is None:
        raise NotFoundError(f"run {run} was never started; `refiner run rm {run}` removes it")
    return result_of(run, state)


def _versions(versions: str | None, state: "RunState", texts: dict[str, str]) -> tuple[str, str]:
    if versions is None:
        if state.selected is None or not texts:
            raise NoAnswerError("the run has no answer yet: name two of its versions, as in 0/0..0/1")
        given = state.plan is not None and state.plan.task.program is not None
        return f"{0 if given else state.selected.chain}/0", f"{state.selected.chain}/{state.selected.index}"
    first, dots, last = versions.partition("..")
    names = tuple(name if "/" in name else f"0/{name}" for name in (first, last))
    if not dots or any(name not in texts for name in names):
        if len(texts) == 1:
            raise UsageError(f"the run has one version alone, {next(iter(texts))}: nothing was changed")
        raise UsageError(f'"{versions}" names no two versions: write A..B with two of {", ".join(texts)}')
    return names[0], names[1]


for command in COMMANDS:
    run.add_command(command)
