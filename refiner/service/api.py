"""The service over HTTP: JSON in, JSON and server-sent events out."""

import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any, cast, get_args

import anyio
import anyio.lowlevel
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from refiner.app.plan import plan_of, task_of
from refiner.client.client import API
from refiner.config.sources import load
from refiner.domain.errors import AmbiguousError, DaemonBusyError, NotFoundError, RefinerError, UsageError
from refiner.domain.events import RunStarted
from refiner.domain.result import result_of
from refiner.domain.run import Control, Limits
from refiner.domain.state import fold
from refiner.providers.connect import resolve
from refiner.run.journal import Delta
from refiner.service.bodies import Body, Budget, ForkAt, Nothing, Submission
from refiner.service.feed import Feed, SlowError
from refiner.service.workers import Workers
from refiner.store.sql import SqlStore
from refiner.strategies.fork import Edit, forked

MOST_BODY = 16 << 20
"""Bytes of a request: a program with its tests is far smaller."""

SLOW = 10.0
"""Seconds that one event may take to be sent before the reader counts as gone."""

_STATUS = {NotFoundError: 404, AmbiguousError: 409, UsageError: 400, DaemonBusyError: 503}
Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Api:
    """What the routes do, over a store, the live runs and the feed; shutdown ends the service."""

    store: SqlStore
    workers: Workers
    feed: Feed
    shutdown: Callable[[], None]

    def app(self) -> Starlette:
        run = "/v1/runs/{run}"
        routes = [
            Route("/v1/runs", self.runs, methods=["GET"]),
            Route("/v1/runs", self.submit, methods=["POST"]),
            Route("/v1/events", self.events, methods=["GET"]),
            Route("/v1/shutdown", self.end, methods=["POST"]),
            Route(run, self.run, methods=["GET"]),
            Route(f"{run}/events", self.run_events, methods=["GET"]),
            Route(f"{run}/fork", self.fork, methods=["POST"]),
            Route(f"{run}/budget", self.budget, methods=["PATCH"]),
            Route(f"{run}/{{control}}", self.control, methods=["POST"]),
            Route("/healthz", self.healthy, methods=["GET"]),
            Route("/readyz", self.ready, methods=["GET"]),
            Route("/version", self.version, methods=["GET"]),
        ]
        return Starlette(routes=routes, exception_handlers={RefinerError: _refused})

    async def runs(self, request: Request) -> Response:
        """The latest runs, newest first; `limit` says how many."""
        rows = await self.store.runs(_number(request, "limit", 100))
        return _json([row.to_json() for row in rows])

    async def run(self, request: Request) -> Response:
        """One run as `solve --json` prints it."""
        run = await self._found(request)
        state = fold(await self.store.events(run))
        if state.plan is None:
            raise NotFoundError(f"run {run} was never started")
        return _json(result_of(run, state).to_json())

    async def run_events(self, request: Request) -> Response:
        """The committed events of a run behind the one with the id `after`."""
        run = await self._found(request)
        events = await self.store.events(run, _number(request, "after", 0))
        return _json([recorded.to_json() for recorded in events])

    async def events(self, request: Request) -> Response:
        """Server-sent events of all runs, or of `run`; Last-Event-ID, or `after`, replays what was missed."""
        last = request.headers.get("last-event-id") or request.query_params.get("after")
        if last is not None and not last.isdecimal():
            raise UsageError("Last-Event-ID is the id of an event, a number")
        only = request.query_params.get("run")
        run = await self.store.find(only) if only else None
        return EventSourceResponse(self._told(None if last is None else int(last), run), send_timeout=SLOW)

    async def submit(self, request: Request) -> Response:
        """Put a task into the queue, committed before this answers; Idempotency-Key makes a repetition harmless."""
        body = cast("Submission", await _body(request, Submission))
        settings = load(keywords=body.settings).settings
        task = task_of(body.input, settings.answer_type, body.program, body.suite)
        plan = plan_of(task, settings, resolve(settings, load().paths))
        new = await self.store.new_id()
        key = request.headers.get("idempotency-key")
        run = await self.store.submit(new, [RunStarted(plan)], body.submitter, body.priority, key)
        self.workers.wake()
        return _json({"id": run}, 201 if run == new else 200)

    async def fork(self, request: Request) -> Response:
        """Put a run into the queue that begins where another one was."""
        body = cast("ForkAt", await _body(request, ForkAt))
        run = await self._found(request)
        edit = Edit(body.critique, body.gradient, body.answer)
        events = forked(run, await self.store.events(run), body.chain, body.iteration, edit)
        name = await self.store.submit(await self.store.new_id(), events, _who(request))
        self.workers.wake()
        return _json({"id": name}, 201)

    async def control(self, request: Request) -> Response:
        """Pause, resume, stop or cancel a run; an interrupted one that is resumed goes into the queue again."""
        word = request.path_params["control"]
        if word not in get_args(Control) or word == "budget":
            raise NotFoundError(f"a run cannot be told to {word}")
        await _body(request, Nothing)
        run = await self._found(request)
        if word == "resume" and not await self.store.live(run):
            await self.store.requeue(run)
            self.workers.wake()
        else:
            await self.store.ask(run, word, _who(request))
        return _json({"id": run, "asked": word}, 202)

    async def budget(self, request: Request) -> Response:
        """Raise or lower what a live run may spend."""
        body = cast("Budget", await _body(request, Budget))
        run = await self._found(request)
        plan = fold(await self.store.events(run)).plan
        limits = plan.limits if plan else Limits()
        said: dict[str, Any] = {
            "calls": body.max_calls,
            "tokens": body.max_tokens,
            "cost_usd": body.max_cost,
            "seconds": body.max_time,
        }
        new = replace(limits, **{name: value for name, value in said.items() if value is not None})
        await self.store.ask(run, "budget", _who(request), new)
        return _json({"id": run, "asked": "budget"}, 202)

    async def end(self, request: Request) -> Response:
        """Shut the service down; its runs go on at its next start."""
        await _body(request, Nothing)
        self.shutdown()
        return _json({"asked": "shutdown"}, 202)

    async def healthy(self, request: Request) -> Response:
        """Whether the loop turns: how many seconds behind it is."""
        began = anyio.current_time()
        await anyio.lowlevel.checkpoint()
        return _json({"ok": True, "lag": anyio.current_time() - began})

    async def ready(self, request: Request) -> Response:
        """Whether runs can be taken: the store can be read."""
        await self.store.last()
        return _json({"ok": True, "live": len(self.workers.live), "most": self.workers.most})

    async def version(self, request: Request) -> Response:
        return _json({"version": version("refiner"), "api": API, "pid": os.getpid()})

    async def _found(self, request: Request) -> str:
        return await self.store.find(request.path_params["run"])

    async def _told(self, after: int | None, run: str | None) -> AsyncIterator[ServerSentEvent]:
        try:
            async for heard in self.feed.listen(after):
                if run is not None and heard.run != run:
                    continue
                if isinstance(heard, Delta):
                    told = {"run": heard.run, "key": heard.key, "text": heard.text}
                    yield ServerSentEvent(json.dumps(told), event="delta")
                else:
                    told = heard.to_json()
                    yield ServerSentEvent(json.dumps(told, default=str), event=heard.event.type, id=str(heard.id))
            yield ServerSentEvent("come back with Last-Event-ID", event="goodbye")
        except SlowError:
            yield ServerSentEvent("come back with Last-Event-ID", event="dropped")


def _json(value: object, status: int = 200) -> Response:
    return Response(json.dumps(value, default=str).encode(), status, media_type="application/json")


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RefinerError)  # noqa: S101
    status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 503)
    return JSONResponse({"error": {"kind": error.kind, "message": str(error), "run": error.run}}, status)


async def _body(request: Request, kind: type[Body]) -> Body:
    """The body of a mutation, whose address has no parameters."""
    if request.query_params:
        raise UsageError(f"there is no parameter {next(iter(request.query_params))!r}")
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > MOST_BODY:
            raise UsageError(f"the request is larger than {MOST_BODY >> 20} MiB")
    return kind.of(bytes(data))


def _number(request: Request, name: str, default: int) -> int:
    value = request.query_params.get(name, str(default))
    if not value.isdecimal():
        raise UsageError(f"{name} is a number, not {value!r}")
    return int(value)


def _who(request: Request) -> str:
    return request.headers.get("x-refiner-user", "the service's user")[:100]
