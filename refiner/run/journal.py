"""The run's log, and its checkpoint: what is in it has happened, and is never done again."""

from collections.abc import Callable

from refiner.domain.calls import Reply
from refiner.domain.events import CallFailed, CallFinished, CallStarted, Delta, Event, Heard, Recorded
from refiner.domain.state import RunState, apply, fold
from refiner.domain.store import Store

Listener = Callable[[Heard], None]


class Journal:
    """One run's events: committed first, then folded into `state`, then published to the listener.

    streams: somebody wants to see replies while they are written, which costs more than whole ones.
    """

    def __init__(
        self, store: Store, run: str, past: list[Recorded], listener: Listener | None = None, *, streams: bool = False
    ) -> None:
        self.run = run
        self.streams = streams
        self.state: RunState = fold(past)
        self._store = store
        self._listener = listener
        self._past = {recorded.event.place: recorded.event for recorded in past}
        self._attempts: dict[str, int] = {}
        for recorded in past:
            if isinstance(recorded.event, CallStarted):
                self._attempts[recorded.event.key] = recorded.event.attempt + 1

    @classmethod
    async def open(
        cls, store: Store, run: str, listener: Listener | None = None, *, streams: bool = False
    ) -> "Journal":
        """The journal of a stored run, folded up to its last event."""
        return cls(store, run, await store.events(run), listener, streams=streams)

    def past(self, place: str) -> Event | None:
        """The event that this run had at a place before it was interrupted."""
        return self._past.get(place)

    def reply(self, key: str) -> Reply | None:
        """The reply that was already paid for at a step."""
        ended = self._past.get(f"{key}#{self._attempts.get(key, 0) - 1}/ended")
        return ended.reply if isinstance(ended, CallFinished) else None

    def next_attempt(self, key: str) -> int:
        """The number of a step's next attempt, counted over every process that has tried it."""
        number = self._attempts.get(key, 0)
        self._attempts[key] = number + 1
        return number

    async def record(self, *events: Event) -> None:
        """Commit what has not happened yet at its place, fold it and publish it. Raises StoreError."""
        new = [event for event in events if event.place not in self._past]
        if not new:
            return
        for recorded in await self._store.append(self.run, new):
            self.state = apply(self.state, recorded)
            if self._listener:
                self._listener(recorded)

    async def book_interrupted(self) -> None:
        """Book each call that was under way when the last process died at the most it can have used.

        After RunResumed, which alone ends the time that nobody worked on the run.
        """
        failed: list[Event] = []
        for place, reserved in self.state.under_way.items():
            key, _, attempt = place.rpartition("#")
            failed.append(CallFailed(key, int(attempt), "interrupted", reserved))
        await self.record(*failed)

    def publish(self, delta: Delta) -> None:
        if self._listener:
            self._listener(delta)
