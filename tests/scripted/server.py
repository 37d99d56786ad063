"""The server: it records what it is asked, answers as its script says, and counts what it would bill."""

import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from socket import socket
from typing import Any

import anyio
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tests.scripted.batches import Batches
from tests.scripted.script import Api, Asked, Fault, Reply, Script
from tests.scripted.wire import Written, error_body, error_event


@dataclass
class Billed:
    """What the calls so far would cost: those that were worked on, whether or not the client saw the reply."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


class Scripted:
    """A provider that answers by `script`, each reply after `latency` seconds.

    together: calls are answered in rounds of so many, each of them only when all of its round have been asked.
    `asked` holds every request, `billed` what was worked on, `most` how many were answered at the same time;
    `models` is what GET /v1/models lists, 404 while it is None.
    """

    def __init__(self, script: Script | str = "ok", latency: float = 0.0) -> None:
        self.batches = Batches(self.take)
        self.reset(script, latency)
        routes = [
            Route("/v1/chat/completions", self._openai, methods=["POST"]),
            Route("/v1/messages", self._anthropic, methods=["POST"]),
            Route("/v1/models", self._models),
            *self.batches.routes(),
        ]
        self._app = Starlette(routes=routes)
        self.url = ""

    def reset(self, script: Script | str = "ok", latency: float = 0.0) -> None:
        """Forget all that was asked, and follow another script."""
        self.script: Script | str = script
        self.latency = latency
        self.together = 1
        self._rounds: dict[int, anyio.Event] = {}
        self.asked: list[Asked] = []
        self.billed = Billed()
        self.models: list[dict[str, Any]] | None = None
        self.most = self._under_way = 0
        self.batches.reset()

    @property
    def openai(self) -> str:
        """The base URL for OpenAI's client."""
        return f"{self.url}/v1"

    @property
    def anthropic(self) -> str:
        """The base URL for Anthropic's client."""
        return self.url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope["transport"] = send.__self__.transport  # type: ignore[attr-defined]  # uvicorn's way to the socket
        await self._app(scope, receive, send)

    async def _openai(self, request: Request) -> Response:
        return await self._answer("openai", request)

    async def _anthropic(self, request: Request) -> Response:
        return await self._answer("anthropic", request)

    async def _models(self, _: Request) -> Response:
        if self.models is None:
            return JSONResponse({"error": {"message": "no such page"}}, 404)
        return JSONResponse({"object": "list", "data": self.models})

    def take(self, api: Api, body: dict[str, Any], request: Request) -> tuple[Asked, Reply | Fault]:
        """Note a request, and what the script says to it."""
        asked = Asked(api, len(self.asked), body, dict(request.headers))
        self.asked.append(asked)
        outcome = self.script if isinstance(self.script, str) else self.script(asked)
        return asked, Reply(outcome) if isinstance(outcome, str) else outcome

    async def _answer(self, api: Api, request: Request) -> Response:
        asked, outcome = self.take(api, json.loads(await request.body()), request)
        self._under_way += 1
        self.most = max(self.most, self._under_way)
        try:
            await anyio.sleep(self.latency)
            await self._round(asked.number // self.together)
            return await self._outcome(asked, outcome, request)
        finally:
            self._under_way -= 1

    async def _round(self, number: int) -> None:
        whole = self._rounds.setdefault(number, anyio.Event())
        if len(self.asked) >= self.together * (number + 1):
            whole.set()
        await whole.wait()

    async def _outcome(self, asked: Asked, outcome: Reply | Fault, request: Request) -> Response:
        if isinstance(outcome, Fault) and outcome.kind == "status":
            body = error_body(asked.api, dict(outcome.error))
            return JSONResponse(body, outcome.status, dict(outcome.headers))
        written = Written(asked, Reply(outcome.text) if isinstance(outcome, Fault) else outcome)
        self.billed.calls += 1
        self.billed.input_tokens += asked.input_tokens
        self.billed.output_tokens += written.output_tokens
        if isinstance(outcome, Reply):
            if not asked.body.get("stream"):
                return Response(json.dumps(written.plain()), media_type="application/json")
            return _stream(_slowly(written.events(), outcome.pause))
        return await self._fault(asked, outcome, written, request)

    async def _fault(self, asked: Asked, fault: Fault, written: Written, request: Request) -> Response:
        if fault.kind == "html":
            return Response("<html><body>Sign in to the network</body></html>", media_type="text/html")
        if fault.kind == "malformed":
            return Response('{"choices": [{"message": {"conte', media_type="application/json")
        if fault.kind == "stall":
            while (await request.receive())["type"] != "http.disconnect":
                pass
        if fault.kind == "unfinished":
            return _stream(_slowly(written.events(ends=False)))
        if fault.kind == "error":
            return _stream(_broken(written, error_event(asked.api, dict(fault.error))))
        if fault.kind == "cut" and asked.body.get("stream"):
            return _stream(_broken(written, b"", request.scope["transport"]))
        if fault.kind == "cut":
            half = json.dumps(written.plain())[:60]
            return Response(half, headers={"content-length": "9999"}, media_type="application/json")
        request.scope["transport"].abort()
        return Response()


def _stream(events: AsyncIterator[bytes]) -> Response:
    return StreamingResponse(events, media_type="text/event-stream")


async def _slowly(events: Iterator[bytes], pause: float = 0.0) -> AsyncIterator[bytes]:
    if not pause:
        yield b"".join(events)
        return
    for event in events:
        yield event
        await anyio.sleep(pause)


async def _broken(written: Written, last: bytes, transport: Any = None) -> AsyncIterator[bytes]:
    yield b"".join(written.events(ends=False)) + last
    if transport is not None:
        await anyio.sleep(0.01)  # what was written leaves first
        transport.abort()


def config(app: Scripted) -> uvicorn.Config:
    return uvicorn.Config(app, log_config=None, log_level="critical", access_log=False, lifespan="off", ws="none")


@contextmanager
def serve(script: Script | str = "ok", latency: float = 0.0) -> Iterator[Scripted]:
    """A scripted provider in a thread of its own, on a free port of 127.0.0.1."""
    scripted = Scripted(script, latency)
    server = uvicorn.Server(config(scripted))
    with socket() as listener:
        listener.bind(("127.0.0.1", 0))
        scripted.url = url_of(listener)
        listener.listen(1024)
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        try:
            yield scripted
        finally:
            server.should_exit = server.force_exit = True
            thread.join()


def url_of(listener: socket) -> str:
    host, port = listener.getsockname()
    return f"http://{host}:{port}"
