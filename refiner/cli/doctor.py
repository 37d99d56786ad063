"""`refiner doctor`: what is there and works, without a call, and without making anything."""

import os
import platform
import sqlite3
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import click

from refiner.cli import output
from refiner.cli.options import Context, common
from refiner.domain.errors import RefinerError, SandboxError, StoreError

if TYPE_CHECKING:
    from refiner.config.paths import Paths
    from refiner.config.settings import Settings

_LIBRARIES = ("anthropic", "openai", "sqlalchemy", "xllamacpp")
_KEYS = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}


@click.command()
@common
def doctor(context: Context) -> int:
    """Say what works here. The exit code is that of the first problem, 0 without one."""
    from refiner.config.paths import Paths

    problems: list[RefinerError] = []
    settings = None
    paths = Paths.find()
    try:
        settings, paths = context.settings, context.paths
    except RefinerError as error:
        problems.append(error)
    found: dict[str, dict[str, Any]] = {"versions": _versions(), "paths": _paths(paths)}
    found["keys"] = {
        provider: bool(os.environ.get(variable) or (settings and getattr(settings.providers, provider).api_key))
        for provider, variable in _KEYS.items()
    }
    found["database"] = _database(paths, problems)
    found["model"] = _model(paths)
    found["sandbox"] = _sandbox(settings, problems)
    found["service"] = {"state": "none: every command works on its own"}
    if context.json:
        said = [{"kind": problem.kind, "message": str(problem)} for problem in problems]
        output.json_line({"schema": "refiner.doctor/1", **found, "problems": said})
    else:
        for title, facts in found.items():
            output.text(title)
            for name, fact in facts.items():
                output.text(f"  {name}: {_word(fact)}")
        for problem in problems:
            output.text(f"problem: {output.line(str(problem))}")
    return problems[0].exit_code if problems else 0


def _sandbox(settings: "Settings | None", problems: list[RefinerError]) -> dict[str, str]:
    """The layer in force, and how each attempt to break out of it ended."""
    import anyio

    from refiner.app.judge import limits_of
    from refiner.config.settings import Sandbox
    from refiner.sandbox.breakouts import breakouts
    from refiner.sandbox.choose import sandbox_of

    own = settings.sandbox if settings else Sandbox()

    async def tried() -> dict[str, str]:
        sandbox = await sandbox_of(own.layer, limits_of(own))
        try:
            held = {} if own.layer == "off" else dict(await breakouts(sandbox))
        finally:
            await sandbox.aclose()
        for attempt, holds in held.items():
            if not holds:
                problems.append(SandboxError(f"the sandbox lets through: {attempt}"))
        return {"layer": sandbox.layer} | {attempt: "held" if holds else "OPEN" for attempt, holds in held.items()}

    try:
        return anyio.run(tried)
    except SandboxError as error:
        problems.append(error)
        return {"layer": "none works here"}


def _versions() -> dict[str, str | None]:
    known: dict[str, str | None] = {"refiner": version("refiner"), "python": platform.python_version()}
    known["sqlite"] = sqlite3.sqlite_version
    for library in _LIBRARIES:
        try:
            known[library] = version(library)
        except PackageNotFoundError:
            known[library] = None
    return known


def _paths(paths: "Paths") -> dict[str, str]:
    names = ("config", "data", "state", "runtime", "cache", "models", "log")
    return {name: str(getattr(paths, name)) for name in names}


def _database(paths: "Paths", problems: list[RefinerError]) -> dict[str, Any]:
    from refiner.config.paths import exists, writable
    from refiner.store import maintain

    state = "ok"
    where = None
    try:
        where = maintain.path(paths.database)
        if paths.database_file and not exists(paths.database_file):
            if not writable(paths.database_file.parent):
                raise StoreError(f"cannot write {where}; set REFINER_HOME to a folder that can be written")
            state = "none yet: the first run makes it"
        else:
            damage = maintain.check(paths.database)
            if damage:
                raise StoreError(f"database {where} is damaged in {len(damage)} places: see refiner db check")
    except RefinerError as error:
        problems.append(error)
        state = "problem"
    return {"path": where, "state": state}


def _model(paths: "Paths") -> dict[str, Any]:
    from refiner.providers.local.weights import installed

    names = [weights.name for weights in installed(paths.models)]
    ready = bool(names) and find_spec("xllamacpp") is not None
    state = "ready" if ready else "not installed: pip install 'refiner[local]'"
    return {"installed": names, "state": state}


def _word(fact: object) -> str:
    match fact:
        case bool():
            return "present" if fact else "absent"
        case list():
            return ", ".join(fact) or "none"
        case None:
            return "not installed"
        case _:
            return str(fact)
