"""The calls of an eval in batches: gathered into waves, sent, waited for over days, and handed out."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from functools import partial

import anyio
from tenacity import AsyncRetrying

from refiner.domain.calls import Reply, Request, Usage
from refiner.domain.errors import NotFoundError, ProviderError, RefinerError, StoreError
from refiner.domain.evals import Batch
from refiner.domain.events import CallFailed, CallFinished, CallStarted, Event
from refiner.providers.batch import Batched, Outcome, State, batched, custom_id
from refiner.run.context import Line, used
from refiner.run.journal import Journal
from refiner.store.sql import SqlStore
from refiner.strategies.drive import Connect

ITEMS = 10_000
"""Items at a time: what takes part in a wave."""

LONGEST = 300.0
"""Seconds between two questions about a batch, at the most."""

QUIET = 1.0
"""Seconds, at the most, that a wave waits for whoever may still join it."""

TRIES = 3
"""Batches at the most that a call is in before it has failed."""

_SILENT = 10
"""Questions about a batch that may fail one after another."""


class Waves:
    """The batches of one eval. poll: seconds until a batch is first asked about, and half longer each further time.

    told hears of every batch that is sent.
    """

    def __init__(
        self, connect: Connect, store: SqlStore, name: str, poll: float, told: Callable[[str], None] = lambda _: None
    ) -> None:
        self._connect, self._store, self._name, self._poll, self._told = connect, store, name, poll, told
        self._lines: dict[tuple[str, str | None], Line] = {}
        self._providers: dict[tuple[str, str | None], Batched] = {}
        self._lock = anyio.Lock()
        self._states: dict[str, State] = {}
        self._fetching: set[anyio.CancelScope] = set()
        self._left = False

    async def connect(self, model: str, base_url: str | None) -> Line:
        """A line whose calls wait for a wave. Raises UsageError for a model without a batch API."""
        async with self._lock:
            if (line := self._lines.get((model, base_url))) is None:
                line = await self._connect(model, base_url)
                provider = await batched(line.provider)
                seldom = partial(_seldom, line)
                line = replace(line, provider=provider, slot=nullcontext, retrying=seldom, lasting=provider.holds)
                self._providers[model, base_url], self._lines[model, base_url] = provider, line
            return line

    async def run(self, idle: Callable[[Counter[str]], bool], lost: Callable[[RefinerError], None]) -> None:
        """Send what waits whenever nothing more can join it, for ever.

        idle: whether all else waits where so many calls of each run do. lost: a batch cannot be waited for any more.
        """
        seen = 0
        async with anyio.create_task_group() as group:
            while True:
                await anyio.sleep(min(QUIET, self._poll))
                unsent = sum(len(provider.unsent) for provider in self._providers.values())
                if unsent == seen and unsent and not self._left and idle(self._waiting):
                    for (_, base_url), provider in self._providers.items():
                        while wave := provider.take():
                            group.start_soon(self._sent, provider, base_url, wave, lost)
                    unsent = 0
                seen = unsent

    @property
    def _waiting(self) -> Counter[str]:
        return Counter(run for provider in self._providers.values() for run in provider.waiting)

    def leave(self) -> None:
        """Send no more, and wait for nothing: what was sent stays with its provider."""
        self._left = True
        for scope in self._fetching:
            scope.cancel()

    @property
    def under_way(self) -> list[str]:
        """The batches that are waited for."""
        return list(self._states)

    @property
    def said(self) -> str:
        """What is waited for, "" where nothing is."""
        done, of = (sum(getattr(state, name) for state in self._states.values()) for name in ("done", "of"))
        what = "a batch" if len(self._states) == 1 else f"{len(self._states)} batches"
        return f"waiting for {what}, {done:,} of {of:,} calls" if self._states else ""

    async def fetch(self, journals: Iterable[Journal]) -> None:
        """Record what batches have for the calls that are open in journals, once they have it."""
        opened = {
            custom_id(f"{journal.run}/{place}"): (journal, place)
            for journal in journals
            for place in journal.state.under_way
        }
        with anyio.CancelScope() as scope:
            self._fetching.add(scope)
            for batch in await self._store.evals.batches(self._name):
                if held := opened.keys() & batch.calls:
                    await self.connect(batch.model, batch.base_url)
                    provider = self._providers[batch.model, batch.base_url]
                    requests = {name: _request(*opened[name]) for name in held}
                    try:
                        outcomes, _ = await self._outcomes(provider, batch.id, requests)
                    except NotFoundError:  # providers keep results for some weeks
                        self._told(f"batch {batch.id} is gone: its calls are booked at their most, and bought again")
                        continue
                    for name, outcome in outcomes.items():
                        journal, place = opened[name]
                        await journal.record(_ended(journal, place, outcome, provider))
        self._fetching.discard(scope)

    async def _sent(
        self, provider: Batched, base_url: str | None, wave: Mapping[str, Request], lost: Callable[[RefinerError], None]
    ) -> None:
        try:
            with anyio.CancelScope(shield=True):  # what is paid for has to be known
                batch = await provider.batches.send(wave)
                await self._store.evals.sent(self._name, Batch(batch, provider.name, base_url, frozenset(wave)))
        except StoreError:
            raise
        except RefinerError as error:
            for name in wave:
                provider.give(name, error)
            return
        self._told(f"batch {batch}: {len(wave):,} calls of {provider.name}")
        try:
            outcomes, why = await self._outcomes(provider, batch, wave)
        except RefinerError as error:
            lost(error)
            return
        missing = ProviderError(f"{provider.name}: batch {batch} has no answer for a call", billed=True)
        for name in wave:
            provider.give(name, outcomes.get(name, missing))
        if why:
            lost(ProviderError(why))

    async def _outcomes(
        self, provider: Batched, batch: str, requests: Mapping[str, Request]
    ) -> tuple[dict[str, Outcome], str]:
        """What a batch has for requests once it has ended, and what ended it as a whole."""
        pause, failures = self._poll, 0
        self._states[batch] = State(0, len(requests), ended=False, seconds=0.0)
        try:
            while True:
                try:
                    self._states[batch] = state = await provider.batches.state(batch)
                    if state.ended:
                        rest = dict.fromkeys(requests, ProviderError(state.why)) if state.why else {}
                        found = {name: outcome async for name, outcome in provider.batches.outcomes(batch, requests)}
                        return rest | found, state.why
                    failures = 0
                except ProviderError as error:
                    failures += 1
                    if not error.retryable or failures > _SILENT:
                        raise
                except NotFoundError:
                    raise NotFoundError(f"{provider.name}: batch {batch} is not known there (any more)") from None
                await anyio.sleep(pause)
                pause = min(1.5 * pause, LONGEST)
        finally:
            del self._states[batch]


def _seldom(line: Line) -> AsyncRetrying:
    retrying = line.retrying()
    stop = retrying.stop
    return retrying.copy(stop=lambda state: state.attempt_number >= TRIES or bool(stop(state)))


def _request(journal: Journal, place: str) -> Request:
    """What was asked in a call that is open."""
    started, plan = journal.past(f"{place}/started"), journal.state.plan
    assert isinstance(started, CallStarted)  # noqa: S101
    request = Request(started.messages, started.max_output_tokens, started.temperature, started.seed)
    return replace(request, reasoning_effort=plan.reasoning_effort if plan else None)


def _ended(journal: Journal, place: str, outcome: Outcome, provider: Batched) -> Event:
    key, _, attempt = place.rpartition("#")
    reserved = journal.state.under_way[place]
    if isinstance(outcome, Reply):
        return CallFinished(key, int(attempt), replace(outcome, usage=used(outcome, reserved, provider)))
    return CallFailed(key, int(attempt), str(outcome), reserved if getattr(outcome, "billed", False) else Usage())
