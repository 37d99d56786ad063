"""Times as crontab writes them: found fast, each once, whatever the clocks of the zone do."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from refiner.domain.errors import UsageError
from refiner.service.cron import Cron

LINES = ("* * * * *", "*/7 2-3 * * *", "30 2 * * *", "0 3 * * *", "59 23 31 * *", "0 0 29 2 *", "15 1 * * 0,6")
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu")
BERLIN = ZoneInfo("Europe/Berlin")
MOMENTS = st.integers(0, 366 * 86400).map(lambda seconds: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds))


@given(st.sampled_from(LINES), st.sampled_from(ZONES), MOMENTS, st.timedeltas(timedelta(), timedelta(days=2)))
@example("30 2 * * *", "Europe/Berlin", datetime(2026, 10, 24, 22, tzinfo=UTC), timedelta(hours=8))
@example("30 2 * * *", "Europe/Berlin", datetime(2026, 3, 28, 23, tzinfo=UTC), timedelta(hours=8))
@example("* * * * *", "UTC", datetime(2026, 1, 1, tzinfo=UTC), timedelta())
def test_the_latest_is_the_last_of_all_in_between(line: str, zone: str, last: datetime, span: timedelta) -> None:
    cron, now = Cron.of(line, ZoneInfo(zone)), last + span
    found, moment = None, cron.after(last)
    while moment <= now:
        found, moment = moment, cron.after(moment)
    assert cron.latest(last, now) == found


def test_years_are_no_longer_than_minutes() -> None:
    now = datetime(2026, 1, 1, 12, 0, 30, tzinfo=UTC)
    assert Cron.of("* * * * *", UTC).latest(now - timedelta(days=3650), now) == now.replace(second=0)


@pytest.mark.parametrize(
    ("field", "days"),
    [
        *(("0", "7"), ("7", "7"), ("1", "1"), ("0-6", "1234567"), ("1-5", "12345"), ("0-4", "12347"), ("sun", "7")),
        *(("1,3-4", "134"), ("*", "1234567"), ("*/2", "2467"), ("mon-fri", "12345"), ("5-7", "567"), ("0-6/3", "367")),
    ],
)
def test_weekdays_are_crontabs(field: str, days: str) -> None:
    cron, moment = Cron.of(f"0 0 * * {field}", UTC), datetime(2026, 1, 1, tzinfo=UTC)
    found = set()
    for _ in range(14):
        moment = cron.after(moment)
        found.add(str(moment.isoweekday()))
    assert found == set(days)


def test_a_zone_that_changes_its_clocks() -> None:
    half_past_two = Cron.of("30 2 * * *", BERLIN)
    spring = half_past_two.after(datetime(2026, 3, 29, tzinfo=BERLIN))  # there is none: it is half past three
    assert spring == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    autumn = half_past_two.after(datetime(2026, 10, 25, tzinfo=BERLIN))  # there are two
    assert half_past_two.after(autumn) - autumn == timedelta(hours=1)


@pytest.mark.parametrize(
    "line",
    ["", "* * * *", "61 * * * *", "* * * * 8", "* * * * 5-1", "*/0 * * * *", "0 0 30 2 *", "@daily", "a b c d e"],
)
def test_what_is_no_line_is_told(line: str) -> None:
    with pytest.raises(UsageError, match=r"such as 0 7 \* \* mon-fri") as caught:
        Cron.of(line)
    assert f'"{line}"' in str(caught.value)
