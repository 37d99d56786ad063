"""The service over HTTP: JSON in, JSON and server-sent events out."""

import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import version
from typing import Any

import anyio
import anyio.to_thread
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from refiner.app.forecast import forecast, planned
from refiner.app.plan import plan_of, task_of
from refiner.client.client import API
from refiner.config.sources import Loaded
from refiner.domain.errors import AmbiguousError, DaemonBusyError, NotFoundError, NotLiveError, RefinerError, UsageError
from refiner.domain.eval_state import EvalLine, EvalPair, EvalState
from refiner.domain.events import RunStarted
from refiner.domain.result import result_of
from refiner.domain.run import Control, Limits, Plan, Rewrite
from refiner.domain.service import ServiceState
from refiner.domain.state import fold
from refiner.domain.wire import service_json, written
from refiner.evals.glance import Evals
from refiner.providers.connect import resolve
from refiner.service import answers
from refiner.service.bodies import (
    Behind,
    Budget,
    By,
    Critique,
    ForkAt,
    Heard,
    Hold,
    Last,
    Latest,
    Newest,
    Nothing,
    Once,
    Other,
    Submission,
    Wanted,
)
from refiner.service.feed import Feed, SlowError
from refiner.service.glance import Glance
from refiner.service.openapi import LateError, NotJsonError, Operation, TooLargeError, description, routes
from refiner.service.watch import Watch
from refiner.service.workers import Workers
from refiner.store.sql import SqlStore
from refiner.strategies.drive import connect_all
from refiner.strategies.fork import Edit, forked

PING = 15.0
"""Seconds of silence after which an event stream says that it is still there."""


class UsedKeyError(UsageError):
    """An Idempotency-Key that stands for another submission."""


class LiveError(UsageError):
    """A run that somebody drives, or will, cannot be deleted."""


_STATUS: dict[type[RefinerError], int] = {
    NotFoundError: 404,
    AmbiguousError: 409,
    UsedKeyError: 409,
    NotLiveError: 409,
    LiveError: 409,
    TooLargeError: 413,
    NotJsonError: 415,
    LateError: 408,
    UsageError: 400,
    DaemonBusyError: 503,
}


@dataclass(frozen=True)
class Api:
    """What the routes do, over a store, the live runs and the feed.

    shutdown ends the service; loaded gives the configuration in force.
    """

    store: SqlStore
    workers: Workers
    feed: Feed
    watch: Watch
    shutdown: Callable[[], None]
    loaded: Callable[[], Loaded]
    glance: Glance

    def app(self) -> Starlette:
        handlers: dict[Any, Any] = {
            RefinerError: _refused,
            HTTPException: _lost,
            ClientDisconnect: _gone,
            Exception: _broken,
        }
        app = Starlette(routes=routes(self.operations), exception_handlers=handlers)
        app.router.redirect_slashes = False
        return app

    @cached_property
    def operations(self) -> tuple[Operation, ...]:
        run = "/v1/runs/{run}"
        words: tuple[Control, ...] = ("pause", "resume", "stop", "cancel")
        return (
            Operation("GET", "/v1/runs", self.runs, list[answers.RunLine]),
            Operation("POST", "/v1/runs", self.submit, answers.Named, (201, 200)),
            Operation("GET", "/v1/events", self.events, None, media="text/event-stream"),
            Operation("GET", "/v1/service", self.service, ServiceState),
            Operation("POST", "/v1/shutdown", self.end, answers.Ending, (202,)),
            Operation("POST", "/v1/plans", self.plan, answers.Plan),
            Operation("GET", "/v1/evals", self.evals, list[EvalLine]),
            Operation("GET", "/v1/evals/{name}", self.eval, EvalState),
            Operation("GET", "/v1/evals/{name}/compare", self.compare, EvalPair),
            Operation("GET", run, self.run, answers.RunResult),
            Operation("DELETE", run, self.remove, answers.Deleted),
            Operation("GET", f"{run}/events", self.run_events, list[answers.Recorded]),
            Operation("POST", f"{run}/fork", self.fork, answers.Named, (201,)),
            Operation("PATCH", f"{run}/budget", self.budget, answers.Told, (202,)),
            Operation("POST", f"{run}/hold", self.hold, answers.Told, (202,)),
            Operation("POST", f"{run}/critique", self.critique, answers.Told, (202,)),
            *(Operation("POST", f"{run}/{word}", getattr(self, word), answers.Told, (202,)) for word in words),
            Operation("GET", "/healthz", self.healthy, answers.Healthy, (200, 503)),
            Operation("GET", "/readyz", self.ready, answers.Ready, (200, 503)),
            Operation("GET", "/metrics", self.metrics, None, media="text/plain"),
            Operation("GET", "/version", self.version, answers.Version),
            Operation("GET", "/openapi.json", self.described, dict[str, Any]),
        )

    @cached_property
    def _evals(self) -> Evals:
        return Evals(self.store)

    @cached_property
    def description(self) -> dict[str, Any]:
        return description(self.operations)

    async def runs(self, page: Latest) -> Response:
        """The latest runs, newest first; `limit` says how many, `offset` behind how many. `since`, a time, leaves out
        what has not changed since then and is not live."""
        return _json([row.to_json() for row in await self.store.runs(page.limit, page.offset, page.since)])

    async def run(self, run: str) -> Response:
        """One run as `solve --json` prints it."""
        run = await self.store.find(run)
        state = fold(await self.store.events(run))
        if state.plan is None:
            raise NotFoundError(f"run {run} was never started")
        return _json(result_of(run, state).to_json())

    async def evals(self, page: Newest) -> Response:
        """The latest evals, newest first. `arms` is null until it was counted: ask again."""
        return await _written(list[EvalLine], await self._evals.lines(page.limit))

    async def eval(self, name: str) -> Response:
        """An eval with its items and figures, which follow a live one now and then."""
        return await _written(EvalState, await self._evals.state(name))

    async def compare(self, name: str, against: Other) -> Response:
        """What the eval `other` gains on this one, on the items that both have."""
        return await _written(EvalPair, await self._evals.pair(name, against.other))

    async def remove(self, run: str, nothing: Nothing) -> Response:
        """Delete a run that is neither live nor in the queue, and all that is known of it."""
        run = await self.store.find(run)
        if await self.store.due(run):
            raise LiveError(f"run {run} is being worked on, or waits for it: cancel it first")
        await self.store.remove(run)
        return _json({"deleted": run})

    async def plan(self, body: Submission) -> Response:
        """What a task would do and cost, as `solve --dry-run --json` prints it; nothing is stored, and no call made."""
        loaded = self.loaded()
        plan = await anyio.to_thread.run_sync(_plan, loaded, body)
        lines = await connect_all(self.workers.world, plan)
        providers = {name: line.provider for name, line in lines.items()}
        told = planned(plan, forecast(plan, providers, self.workers.world.prompts))
        return _json({**told, "confirm_above": loaded.settings.confirm_above})

    async def run_events(self, run: str, behind: Behind) -> Response:
        """The committed events of a run behind the one with the id `after`."""
        events = await self.store.events(await self.store.find(run), behind.after)
        return _json([recorded.to_json() for recorded in events])

    async def events(self, heard: Heard, last: Last) -> Response:
        """Server-sent events of all runs, or of `run`; Last-Event-ID, or `after`, replays what was missed."""
        run = await self.store.find(heard.run) if heard.run is not None else None
        after = heard.after if last.last is None else last.last
        return EventSourceResponse(self._told(after, run), ping=PING)

    async def submit(self, body: Submission, once: Once) -> Response:
        """Put a task into the queue, committed before this answers; Idempotency-Key makes a repetition harmless."""
        plan = await anyio.to_thread.run_sync(_plan, self.loaded(), body)
        new = await self.store.new_id()
        run = await self.store.submit(new, [RunStarted(plan)], body.submitter, body.priority, once.key)
        if run != new and fold(await self.store.events(run)).plan != plan:
            error = UsedKeyError(f"this Idempotency-Key was used for another submission, run {run}: take a new one")
            error.run = run
            raise error
        self.workers.wake()
        self.feed.wake()
        return _json({"id": run}, 201 if run == new else 200)

    async def fork(self, run: str, body: ForkAt, by: By) -> Response:
        """Put a run into the queue that begins where another one was."""
        run = await self.store.find(run)
        edit = Edit(body.critique, body.gradient, body.answer)
        events = forked(run, await self.store.events(run), body.chain, body.iteration, edit)
        name = await self.store.submit(await self.store.new_id(), events, by.who)
        self.workers.wake()
        self.feed.wake()
        return _json({"id": name}, 201)

    async def pause(self, run: str, by: By, nothing: Nothing) -> Response:
        """Let a live run start no further call."""
        return await self._asked(run, "pause", by)

    async def resume(self, run: str, by: By, nothing: Nothing) -> Response:
        """Let a paused run go on; an interrupted one goes into the queue again."""
        run = await self.store.find(run)
        if await self.store.due(run):
            return await self._asked(run, "resume", by)
        await self.store.requeue(run)
        self.workers.wake()
        return _json({"id": run, "asked": "resume"}, 202)

    async def stop(self, run: str, by: By, nothing: Nothing) -> Response:
        """End a live run, and keep its best answer; one that waits leaves the queue."""
        return await self._asked(run, "stop", by)

    async def cancel(self, run: str, by: By, nothing: Nothing) -> Response:
        """End a run at once, live or waiting; it can be resumed."""
        return await self._asked(run, "cancel", by)

    async def budget(self, run: str, body: Budget, by: By) -> Response:
        """Raise or lower what a live run may spend."""
        run = await self.store.find(run)
        plan = fold(await self.store.events(run)).plan
        limits = plan.limits if plan else Limits()
        said: dict[str, Any] = {
            "calls": body.max_calls,
            "tokens": body.max_tokens,
            "cost_usd": body.max_cost,
            "seconds": body.max_time,
        }
        new = replace(limits, **{name: value for name, value in said.items() if value is not None})
        return await self._asked(run, "budget", by, new)

    async def service(self) -> Response:
        """The queue, the workers, what is at each provider, the schedules and the latest lines of the log."""
        return _json(service_json(await self.glance.state()))

    async def hold(self, run: str, body: Hold, by: By) -> Response:
        """Let the next critique of a live run wait before it is used, so that it can be edited; `resume` lets it go."""
        return await self._asked(run, "hold", by, Limits(seconds=body.seconds))

    async def critique(self, run: str, body: Critique, by: By) -> Response:
        """Put another critique in the place of one that waits, in a run that is held or paused; a blank one is a veto.
        One that is in use already stays, and a note says so."""
        return await self._asked(run, "edit", by, Rewrite(body.chain, body.iteration, body.critique))

    async def end(self, nothing: Nothing) -> Response:
        """Shut the service down; its runs go on at its next start."""
        self.shutdown()
        return _json({"asked": "shutdown"}, 202)

    async def healthy(self) -> Response:
        """Whether the loop turns: how many seconds behind it is."""
        status, told = self.watch.health()
        return _json(told, status)

    async def ready(self) -> Response:
        """Whether runs can be taken, and what is missing."""
        status, told = await self.watch.ready()
        return _json(told, status)

    async def metrics(self, wanted: Wanted) -> Response:
        """What Prometheus reads."""
        text, kind = await self.watch.exposed(wanted.accept)
        return Response(text, media_type=kind)

    async def version(self) -> Response:
        """Which version answers."""
        return _json({"version": version("refiner"), "api": API, "pid": os.getpid()})

    async def described(self) -> Response:
        """This description."""
        return _json(self.description)

    async def _asked(self, run: str, control: Control, by: By, told: Limits | Rewrite | None = None) -> Response:
        run = await self.store.find(run)
        await self.store.ask(run, control, by.who, told)
        return _json({"id": run, "asked": control}, 202)

    async def _told(self, after: int | None, run: str | None) -> AsyncIterator[bytes | ServerSentEvent]:
        try:
            async with aclosing(self.feed.listen(after, run)) as told:
                async for data in told:
                    yield data
            yield ServerSentEvent("come back with Last-Event-ID", event="goodbye")
        except SlowError:
            yield ServerSentEvent("come back with Last-Event-ID", event="dropped")


def _plan(loaded: Loaded, body: Submission) -> Plan:
    settings = loaded.for_task(body.settings)
    task = task_of(body.input, settings.answer_type, body.program, body.suite)
    return plan_of(task, settings, resolve(settings, loaded.paths))


async def _written(kind: Any, value: object) -> Response:
    return Response(await anyio.to_thread.run_sync(written, kind, value), media_type="application/json")


def _json(value: object, status: int = 200) -> Response:
    return Response(json.dumps(value, default=str).encode(), status, media_type="application/json")


def _fault(status: int, kind: str, message: str, run: str | None = None) -> Response:
    return _json({"error": {"kind": kind, "message": message, "run": run}}, status)


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RefinerError)  # noqa: S101
    status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 503)
    response = _fault(status, error.kind, str(error), error.run)
    if status == 408:
        response.headers["Connection"] = "close"
    return response


async def _lost(request: Request, error: Exception) -> Response:
    """What Starlette has no route for: an address, or a method."""
    assert isinstance(error, HTTPException)  # noqa: S101
    found = error.status_code != 404
    said = f"{request.url.path} takes no {request.method}" if found else f"there is no address {request.url.path}"
    response = _fault(error.status_code, "usage" if found else "not_found", f"{said}: GET /openapi.json lists all")
    response.headers.update(error.headers or {})
    return response


async def _gone(_request: Request, _error: Exception) -> Response:
    return Response(status_code=400)  # nobody reads it


async def _broken(_request: Request, error: Exception) -> Response:
    return _fault(500, "internal", f"a bug ({type(error).__name__}): the service's log says more, please report it")
