"""`refiner db`: where the database lies, and how it is kept sound, copied and small."""

from pathlib import Path

import click

from refiner.cli import output
from refiner.cli.groups import Noun
from refiner.cli.options import Context, common
from refiner.domain.errors import NotFoundError, StoreError, UsageError


@click.group(cls=Noun, bare="path")
def db() -> None:
    """Look after the database."""


@db.command()
@common
def path(context: Context) -> None:
    """Where the database lies."""
    from refiner.store import maintain

    where = maintain.path(context.paths.database)
    if context.json:
        output.json_line({"path": where})
    else:
        output.text(where)


@db.command()
@common
def upgrade(context: Context) -> None:
    """Bring the database up to date; a file is copied to FILE.REVISION.bak first."""
    from refiner.config.paths import made
    from refiner.store import maintain

    if file := context.paths.database_file:
        made(file.parent)
    revision = maintain.upgrade(context.paths.database)
    if context.json:
        output.json_line({"revision": revision})
    else:
        output.text(f"revision {revision}")


@db.command()
@common
def check(context: Context) -> int:
    """Read every event and text, and say what is wrong; exit code 8 where something is."""
    from refiner.store import maintain

    problems = maintain.check(_existing(context))
    if context.json:
        output.json_line({"ok": not problems, "problems": problems})
    else:
        output.text("\n".join(problems) or "ok")
    return StoreError.exit_code if problems else 0


@db.command()
@click.argument("file", type=click.Path(path_type=Path))
@common
def backup(context: Context, file: Path) -> None:
    """Copy the database to FILE, which must not exist, while others may go on writing."""
    from refiner.store import maintain

    maintain.backup(_existing(context), file)
    if context.json:
        output.json_line({"path": file.absolute()})
    else:
        context.note(f"copied to {file}")


@db.command()
@click.option("--keep-days", type=click.FloatRange(min=0), metavar="DAYS", help="Remove runs unchanged for longer.")
@click.option("--keep-bytes", type=click.IntRange(min=0), metavar="BYTES", help="Remove the oldest until this is left.")
@common
def prune(context: Context, keep_days: float | None, keep_bytes: int | None) -> None:
    """Remove old runs that nobody works on, by default as `upkeep` says, and the texts that only they used."""
    from refiner.config.paths import made
    from refiner.store import maintain

    if keep_days is None and keep_bytes is None:
        keep_days, keep_bytes = context.settings.upkeep.keep_days, context.settings.upkeep.keep_bytes
    if keep_days is None and keep_bytes is None:
        raise UsageError("say what to keep: --keep-days 30, or --keep-bytes 1000000000")
    url, state = _existing(context), made(context.paths.state)
    pruned = maintain.prune(url, state=state, keep_days=keep_days, keep_bytes=keep_bytes)
    if context.json:
        output.json_line({"runs": pruned.runs, "freed_bytes": pruned.freed})
    else:
        output.text(f"removed {pruned.runs} runs, freed {pruned.freed:,} bytes")


def _existing(context: Context) -> str:
    """The database's URL. Raises NotFoundError before there is a file: looking must not make one."""
    file = context.paths.database_file
    if file and not file.exists():
        raise NotFoundError(f"there is no database at {file} yet: the first run makes it")
    return context.paths.database
