"""The service at a glance, as it says it itself."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Waiting:
    """A run in the queue, since when, and who handed it in."""

    id: str
    title: str
    submitter: str
    priority: int
    queued_at: datetime


@dataclass(frozen=True, slots=True)
class Reached:
    """A model that the service has been at: calls out now, calls that wait for a place, how many may be out now and at
    the most, and how often it asked for fewer (429, 529)."""

    model: str
    calls: int
    waiting: int
    limit: int
    most: int
    refused: int


@dataclass(frozen=True, slots=True)
class Recurring:
    """What the service does again and again; last is None where it has not been done yet."""

    name: str
    what: str
    cron: str
    last: datetime | None
    next: datetime


@dataclass(frozen=True, slots=True)
class ServiceState:
    """live: runs at work, of at most `most`. queued: how many wait, of which `queue` has the first. log: the latest
    lines, oldest first."""

    live: int
    most: int
    queued: int
    queue: tuple[Waiting, ...]
    providers: tuple[Reached, ...]
    schedules: tuple[Recurring, ...]
    log: tuple[str, ...]
