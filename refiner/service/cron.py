"""Times that recur, as crontab writes them, in the local time zone."""

import re
from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from apscheduler.triggers.cron import CronTrigger  # type: ignore[import-untyped]

from refiner.domain.errors import UsageError

_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Cron:
    """A line of crontab's: minute, hour, day of the month, month, weekday; all five have to fit."""

    line: str
    trigger: CronTrigger

    @classmethod
    def of(cls, line: str, zone: tzinfo | None = None) -> "Cron":
        """Read a line; zone is the local one unless it is said. Raises UsageError."""
        form = "write minute, hour, day, month, weekday, such as 0 7 * * mon-fri"
        fields = line.split()
        if len(fields) != 5:
            raise UsageError(f'"{line}" has {len(fields)} fields: {form}')
        try:
            trigger = CronTrigger.from_crontab(" ".join((*fields[:4], _weekdays(fields[4]))), zone)
        except ValueError as error:
            raise UsageError(f'"{line}" is no time ({error}): {form}') from error
        if trigger.get_next_fire_time(None, datetime.now(UTC)) is None:
            raise UsageError(f'"{line}" never comes: {form}')
        return cls(line, trigger)

    def after(self, moment: datetime) -> datetime:
        """The first time behind a moment, in UTC."""
        found: datetime = self.trigger.get_next_fire_time(None, moment.astimezone(UTC) + timedelta.resolution)
        return found.astimezone(UTC)

    def latest(self, last: datetime, now: datetime) -> datetime | None:
        """The latest time behind `last` and not behind `now`, in UTC, however many there were; None where none was."""
        minutes = range((now - last) // _MINUTE + 1)
        passed = bisect_right(minutes, now, key=lambda minute: self.after(last + minute * _MINUTE))
        return self.after(last + (passed - 1) * _MINUTE) if passed else None


def _weekdays(field: str) -> str:
    """Crontab's numbers, of which 0 and 7 are Sunday, as names: APScheduler counts from Monday."""

    def named(found: re.Match[str]) -> str:
        first, last, step = (int(found[group] or default) for group, default in ((1, 0), (2, found[1]), (3, 1)))
        return ",".join(_DAYS[first : last + 1 : step or 1])

    return re.sub(r"(?<![\w/])([0-7])(?:-([0-7]))?(?:/(\d+))?(?!\w)", named, field.replace("*/", "0-6/"))
