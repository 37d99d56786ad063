"""`refiner solve`: refine one question or one file; the answer on standard output."""

import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

import click

from refiner.cli import errors, output
from refiner.cli.code import Target, code_task
from refiner.cli.flags import ASKING, LAYERS, SETTINGS, with_options
from refiner.cli.inputs import read_input
from refiner.cli.options import Context, common
from refiner.domain.errors import DaemonError, RefinerError, StoreError, UsageError

if TYPE_CHECKING:
    from refiner.app.forecast import Forecast
    from refiner.cli.progress import Progress
    from refiner.cli.stage import Stage
    from refiner.config.sources import Loaded
    from refiner.domain.events import Heard, Recorded
    from refiner.domain.result import Result
    from refiner.domain.run import Plan
    from refiner.domain.state import RunState
    from refiner.domain.task import Task
    from refiner.run.context import RunContext
    from refiner.strategies.drive import World

T = TypeVar("T")
Tell = Callable[[str, "RunState", RefinerError | None], int]
"""Prints what a run came to by its id, its state, and the error that ended it; the exit code."""

_CODE = (
    click.option("-t", "--tests", metavar="PATH", help="Tests that the code must pass: a file or a folder."),
    click.option("--check", metavar="CMD", help="A command that judges the program, whose path stands for {}."),
    click.option("--sandbox", type=LAYERS, help="Which isolation runs foreign code."),
    click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write the program there."),
    click.option("-i", "--in-place", is_flag=True, help="Write the program back, and keep the old one beside it."),
    click.option("--patch", is_flag=True, help="Print a patch instead of the program."),
)


@click.command()
@click.argument("input_", metavar="[INPUT|-]", required=False)
@with_options((*SETTINGS, *_CODE))
@click.option("--jsonl", is_flag=True, help="Print every event as a line of JSON, the result last.")
@with_options(ASKING)
@click.option("--daemon/--no-daemon", default=None, help="Whether the service runs it.")
@click.option("--detach", is_flag=True, help="Leave it to the service, and print its id.")
@click.option("--resume", metavar="RUN", help="Go on with an interrupted run.")
@click.option("--tui", is_flag=True, help="Watch and steer it in the terminal UI; leaving that ends no run.")
@common
def solve(
    context: Context,
    /,
    input_: str | None,
    jsonl: bool,
    dry_run: bool,
    yes: bool,
    no_input: bool,
    daemon: bool | None,
    detach: bool,
    resume: str | None,
    tui: bool,
    sandbox: str | None,
    output: Path | None,
    in_place: bool,
    patch: bool,
    **flags: object,
) -> int:
    """Refine the answer to one question or one file.

    INPUT is a question, a file, or - for standard input. With a question and a pipe, the pipe is the material. With
    --tests, or a Python file, the answer is a program.
    """
    if tui:
        staged(jsonl=jsonl, dry_run=dry_run, daemon=daemon, detach=detach)
    if detach and (output or in_place or patch):
        raise UsageError("--detach leaves the answer with the service: leave -o, -i and --patch out")
    if resume:
        # A limit must not be left out in silence; where the model is reached may be said again.
        own = {"sandbox": sandbox, "in_place": in_place, "patch": patch, "dry_run": dry_run, **flags}
        given = sorted(name for name, value in own.items() if value is not None and value is not False)
        said = [f"--{name.replace('_', '-')}" for name in given if name not in ("model", "base_url")]
        if input_ is not None or said:
            raise UsageError(f"--resume takes no {'input' if input_ is not None else said[0]}: the run has its own")
        return resumed(context, resume, output, jsonl=jsonl, tui=tui)
    judged = {name: flags.pop(name) for name in ("tests", "check")}
    loaded = context.load({**flags, **({"sandbox": {"layer": sandbox}} if sandbox else {})})
    task, source = code_task(input_, judged, loaded.settings.answer_type, context.note, output) or (None, None)
    if task is None and (output or in_place or patch):
        raise UsageError("-o, -i and --patch are for code: give --tests, --check or --answer-type code")
    from refiner.app.plan import plan_of, task_of
    from refiner.providers.connect import resolve

    task = task or task_of(read_input(input_, context.note), loaded.settings.answer_type)
    target = Target(source, output, in_place, patch)
    if daemon or detach:
        return _submitted(context, loaded, task, target, detach=detach, jsonl=jsonl)
    plan = plan_of(task, loaded.settings, resolve(loaded.settings, loaded.paths))
    with target.held():
        ways = {"jsonl": jsonl, "tui": tui, "dry_run": dry_run, "yes": yes, "no_input": no_input}
        return in_loop(partial(solved, context, loaded, plan, partial(_told, context, target, jsonl=jsonl), **ways))


def staged(**others: bool | None) -> None:
    """Raises UsageError for what --tui does not go with, and where there is no terminal."""
    from refiner.cli.stage import terminal

    for name, given in others.items():
        if given:
            raise UsageError(f"--tui shows a run of this process: leave --{name.replace('_', '-')} out")
    with terminal():
        pass


def _submitted(context: Context, loaded: "Loaded", task: "Task", target: Target, *, detach: bool, jsonl: bool) -> int:
    from refiner.cli.submit import follow, say, submit
    from refiner.domain.events import Recorded

    run = submit(context, loaded, task)
    if detach:
        return say(context, run)
    progress = _progress(context)

    def tell(heard: "Heard") -> None:
        progress(heard)
        if jsonl and isinstance(heard, Recorded):
            output.event(heard)

    with target.held():
        try:
            result, failure = follow(context, run, tell)
        except DaemonError as error:
            error.args, error.run = (f"{error}; `refiner run watch {run}` follows the run, which goes on then",), run
            raise
        except KeyboardInterrupt:
            progress.clear()
            context.note(f"run {run} goes on: `refiner run watch {run}` follows it, `refiner run stop {run}` ends it")
            raise
        finally:
            progress.clear()
        return printed(context, result, target, jsonl=jsonl, failure=failure)


def _progress(context: Context, past: "Sequence[Recorded]" = ()) -> "Progress":
    from refiner.cli.progress import Progress
    from refiner.domain.run_model import model_of

    terminal = sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    live = terminal and not (context.quiet or context.verbose)
    return Progress(live=live, verbose=context.verbose and not context.quiet, quiet=context.quiet, model=model_of(past))


def resumed(context: Context, run: str, file: Path | None = None, *, jsonl: bool = False, tui: bool = False) -> int:
    """Go on with a run where it was interrupted; one that is done is shown as it is. file: where its program goes."""
    return in_loop(partial(_resumed, context, run, file, jsonl=jsonl, tui=tui))


async def solved(
    context: Context,
    loaded: "Loaded",
    plan: "Plan",
    tell: "Tell",
    *,
    jsonl: bool,
    tui: bool,
    dry_run: bool,
    yes: bool,
    no_input: bool,
) -> int:
    """Begin a run of a plan and drive it to its end, or say what it would cost; tell prints what it came to."""
    from refiner.app.forecast import forecast, too_long
    from refiner.app.world import opened
    from refiner.cli.progress import joining
    from refiner.prompts import Prompts
    from refiner.providers.connect import reached
    from refiner.strategies.drive import connect_all, create

    prompts, settings = Prompts(loaded.settings.prompts.folder), loaded.settings
    bar = None if context.quiet else joining
    if dry_run:
        async with reached(plan.models, settings, loaded.paths, bar) as providers:
            return _say_plan(context, plan, forecast(plan, providers, prompts), jsonl=jsonl)
    async with opened(settings, loaded.paths, bar) as world:
        providers = {name: line.provider for name, line in (await connect_all(world, plan)).items()}
        await too_long(plan, providers[plan.models.answer], prompts)
        confirm(forecast(plan, providers, prompts), settings.confirm_above, yes=yes, ask=not no_input)
        if world.judge and plan.task.kind == "code":
            await world.judge()
        run = await create(world, plan)
        return await driven(context, world, run, tell, jsonl=jsonl, tui=tui)


async def _resumed(context: Context, prefix: str, file: Path | None, *, jsonl: bool, tui: bool) -> int:
    from refiner.app.source import of_program
    from refiner.app.world import opened
    from refiner.domain.result import result_of
    from refiner.domain.state import fold

    loaded = context.loaded
    async with opened(loaded.settings, loaded.paths) as world:
        run = await world.store.find(prefix)
        state = fold(await world.store.events(run))
        task = state.plan.task if state.plan else None
        if file and task and task.kind != "code":
            raise UsageError("-o is for code, and the run is about a question or a text")
        target = Target(of_program(file, task.program) if file and task else None, file)
        with target.held():
            if state.status == "done" and state.finished:
                context.note(f"run {run} is done; there is nothing to resume")
                return printed(context, result_of(run, state), target, jsonl=jsonl)
            await world.store.claim(run)
            return await driven(context, world, run, partial(_told, context, target, jsonl=jsonl), jsonl=jsonl, tui=tui)


def _told(
    context: Context, target: Target, run: str, state: "RunState", failure: RefinerError | None, *, jsonl: bool
) -> int:
    from refiner.domain.result import result_of

    return printed(context, result_of(run, state), target, jsonl=jsonl, failure=failure)


async def driven(context: Context, world: "World", run: str, tell: "Tell", *, jsonl: bool, tui: bool) -> int:
    """Drive a run to its end, which signals and others may bring about early; tell prints what it came to."""
    from refiner.cli.signals import AbortedError, interruptible
    from refiner.domain.events import Heard, Recorded
    from refiner.domain.state import fold
    from refiner.strategies.drive import resume_run

    past = await world.store.events(run)
    plan = fold(past).plan
    if not world.isolated and plan and plan.task.kind == "code":
        context.note("warning: foreign code runs without a sandbox, as you asked (sandbox.layer = off)")
    progress = _progress(context, past)
    stage = _stage(context, world, run, past, progress) if tui else None

    def listener(heard: Heard) -> None:
        if stage:
            stage.heard(heard)
        if stage is None or stage.left:
            progress(heard)
        if jsonl and isinstance(heard, Recorded):
            output.event(heard)

    def told(text: str) -> None:
        if stage:
            stage.leave()
        progress.clear()
        context.note(text)

    async def drive(started: Callable[["RunContext"], None]) -> "RunState":
        for recorded in past if jsonl else ():
            output.event(recorded)
        return await resume_run(world, run, listener, started, streams=progress.live or tui)

    failure: RefinerError | None = None
    try:
        async with stage.shown(context) if stage else nullcontext():
            await interruptible(world.store, run, drive, told)
    except StoreError as error:
        if error.passing:
            error.args = (f"{error}; then `refiner run resume {run}` goes on where it stopped",)
        raise
    except RefinerError as error:
        if error.run is None:  # it was never driven
            raise
        failure = error
    except AbortedError as aborted:
        progress.clear()
        context.note(f"aborted; `refiner run resume {run}` goes on where it was")
        return aborted.code
    finally:
        progress.clear()
    return tell(run, fold(await world.store.events(run)), failure)


def _stage(
    context: Context, world: "World", run: str, past: "Sequence[Recorded]", progress: "Callable[[Recorded], None]"
) -> "Stage":
    from refiner.cli.stage import Stage
    from refiner.store.sql import SqlStore

    assert isinstance(world.store, SqlStore)  # noqa: S101
    return Stage(context.paths, _store=world.store, run=run, past=past, seen=progress)


def printed(
    context: Context,
    result: "Result",
    target: Target,
    *,
    jsonl: bool,
    failure: RefinerError | None = None,
    more: Mapping[str, object] = MappingProxyType({}),
) -> int:
    """Deliver what a run came to, and say how it ended; more: further fields of its JSON."""
    from refiner.cli.progress import closing
    from refiner.domain.errors import NoAnswerError

    if result.exit == 4 and failure is None:
        limited = result.stop.reason in ("calls", "tokens", "cost", "time")
        hint = "raise the limit, or drop it" if limited else "ask in other words, or another model"
        failure = NoAnswerError(f"there is no answer: {result.stop.detail}; {hint}")
    answerless = failure is not None and failure.exit_code in (2, 7)
    delivered = result.answer is not None and (result.kind == "code" or target.goes_elsewhere) and not answerless
    if delivered and (target.goes_elsewhere or not (context.json or jsonl)):
        try:
            target.deliver(result, backup=context.settings.code.backup, quiet=context.quiet)
        except UsageError as unwritten:
            unwritten.args = (f"{unwritten}; `refiner run answer {result.id}` prints the program",)
            unwritten.run = result.id
            raise
    error = failure and {"kind": failure.kind, "message": output.line(str(failure)), "run": result.id}
    if context.json or jsonl:
        told = {**result.to_json(), **more} if result.answer is not None or error is None else {}
        output.json_line({**({"type": "result"} if jsonl else {}), **told, **({"error": error} if error else {})})
    elif result.answer is not None and result.kind != "code" and not target.goes_elsewhere:
        output.text(result.answer)
    context.note(closing(result))
    if failure:
        errors.note(f"error: {failure}")
        if result.status != "done" and failure.exit_code != UsageError.exit_code:
            context.note(f"`refiner run resume {result.id}` goes on where it stopped, and pays for nothing twice")
    return result.exit


def _say_plan(context: Context, plan: "Plan", forecast: "Forecast", *, jsonl: bool) -> int:
    from refiner.app.forecast import planned
    from refiner.cli.progress import spent
    from refiner.strategies.drive import rules

    if context.json or jsonl:
        output.json_line({**({"type": "result"} if jsonl else {}), **planned(plan, forecast)})
        return 0
    output.text(
        f"task      {plan.task.kind}: {plan.task.title}\n"
        f"model     {plan.models.answer}, critic {plan.models.critic}, updater {plan.models.updater}\n"
        f"strategy  {plan.strategy}, chains {plan.chains}, iterations {plan.iterations}\n"
        f"until     {rules(plan)}\n"
        f"least     {spent(forecast.least)}\n"
        f"expected  {spent(forecast.expected)}\n"
        f"most      {spent(forecast.most)}"
    )
    return 0


def confirm(forecast: "Forecast", above: float, *, yes: bool, ask: bool) -> None:
    """Ask where it may cost more than is to be asked about. Raises UsageError for a no."""
    most = forecast.most.cost_usd
    if yes or most is None or most <= above:
        return
    sentence = f"this may cost up to ${most:.2f}, more than confirm_above (${above:.2f})"
    if not (ask and sys.stdin is not None and sys.stdin.isatty()):
        raise UsageError(f"{sentence}: pass --yes, or a lower --max-cost")
    if not errors.asked(f"{sentence}. Go on?"):
        raise UsageError("nothing was spent")


def in_loop(work: Callable[[], Awaitable[T]]) -> T:
    """Run a coroutine to its end; the first error of its tasks is raised as itself."""
    import anyio

    from refiner.autograd.concurrent import bare_errors

    with bare_errors():
        return anyio.run(work)
