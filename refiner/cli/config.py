"""`refiner config`: the settings in force, where they come from, and a file to begin with."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from refiner.cli import output
from refiner.cli.groups import Noun
from refiner.cli.options import Context, common
from refiner.domain.errors import NotFoundError, StoreError, UsageError

if TYPE_CHECKING:
    from refiner.config.sources import Loaded


@click.group(cls=Noun, bare="show")
def config() -> None:
    """Show, check and begin settings."""


@config.command()
@click.option("--sources", is_flag=True, help="Say where each value was set.")
@common
def show(context: Context, *, sources: bool) -> None:
    """The settings in force. Keys and passwords are never shown."""
    from refiner.config.shown import shown

    values = shown(context.settings)
    origins = context.loaded.sources if sources else {}
    if context.json:
        output.json_line({"settings": values, "sources": origins} if sources else {"settings": values})
        return
    rows = [(key, "unset" if value is None else json.dumps(value, ensure_ascii=False)) for key, value in values.items()]
    if sources:
        output.table(("SETTING", "VALUE", "SOURCE"), [(key, value, origins[key]) for key, value in rows])
    else:
        output.table(("SETTING", "VALUE"), rows)


@config.command()
@common
def path(context: Context) -> None:
    """The files that settings are read from, the strongest last."""
    from refiner.config.paths import Paths
    from refiner.config.sources import project_config, user_config

    paths = Paths.find()
    user = user_config(paths) or paths.config / "config.toml"
    project = context.config or project_config(Path.cwd()) or Path.cwd() / "refiner.toml"
    files = {"user": user, "project": project}
    if context.json:
        output.json_line({name: {"path": file, "exists": file.is_file()} for name, file in files.items()})
    else:
        for name, file in files.items():
            output.text(f"{name}: {file}" + ("" if file.is_file() else " (not there)"))


@config.command()
@common
def check(context: Context) -> None:
    """Whether all settings can be used."""
    from refiner.service.chores import chores

    _check_rules(context.loaded)
    chores(context.loaded)
    if context.json:
        output.json_line({"ok": True, "files": context.loaded.files})
    else:
        files = ", ".join(str(file) for file in context.loaded.files) or "defaults only"
        output.text(f"ok: {files}")


@config.command()
@click.argument("file", type=click.Path(path_type=Path), default="refiner.toml")
@click.option("--user", is_flag=True, help="Begin the user's own file instead.")
@common
def init(context: Context, file: Path, *, user: bool) -> None:
    """Write FILE (refiner.toml, or - for standard output): every setting, commented, with its default."""
    from refiner.config.paths import Paths, made
    from refiner.config.template import template

    if str(file) == "-":
        output.text(template())
        return
    if user:
        file = made(Paths.find().config) / "config.toml"
    try:
        with file.open("x", encoding="utf-8") as begun:
            begun.write(template())
        if user:
            file.chmod(0o600)
    except FileExistsError:
        raise UsageError(f"{file} is there already: remove it, or name another file") from None
    except OSError as error:
        raise StoreError(f"cannot write {file}: {error.strerror}") from error
    if context.json:
        output.json_line({"path": file})
    else:
        context.note(f"wrote {file}")


def _check_rules(loaded: "Loaded") -> None:
    from refiner.policies.language import parse
    from refiner.policies.presets import PRESETS

    settings = loaded.settings
    known = {**PRESETS, **settings.policies}
    expressions = {f"policies.{name}": rule for name, rule in settings.policies.items()}
    if settings.until is not None:
        expressions["until"] = settings.until
    for key, expression in expressions.items():
        try:
            parse(expression, known)
        except UsageError as error:
            raise UsageError(f"{loaded.sources[key]}: {key}: {error}") from None
    if settings.policy is not None and settings.policy not in known:
        raise NotFoundError(f'{loaded.sources["policy"]}: there is no policy "{settings.policy}"')
