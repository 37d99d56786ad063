"""`refiner schedule`: what the service does again and again, and when."""

from datetime import UTC, datetime

import click

from refiner.cli import output
from refiner.cli.groups import Noun
from refiner.cli.options import Context, common


@click.group(cls=Noun)
def schedule() -> None:
    """What the service does again and again, and when."""


@schedule.command("list")
@common
def list_(context: Context) -> None:
    """All that the settings ask for, with its last and its next time; the service need not run."""
    from refiner.service.chores import chores
    from refiner.service.schedule import read_times, times, times_file

    last, now = read_times(times_file(context.paths)), datetime.now(UTC)
    rows = [(each.name, each.cron.line, *times(each, last, now), each.what) for each in chores(context.loaded)]
    if context.json:
        return output.json_line(
            [
                {"name": name, "cron": cron, "last": _utc(before), "next": _utc(after), "what": what}
                for name, cron, before, after, what in rows
            ]
        )
    return output.table(
        ("NAME", "CRON", "LAST", "NEXT", "WHAT"),
        [(name, cron, _local(before), _local(after), what[:60]) for name, cron, before, after, what in rows],
    )


def _local(moment: datetime | None) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M}" if moment else "never"


def _utc(moment: datetime | None) -> str | None:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment else None
