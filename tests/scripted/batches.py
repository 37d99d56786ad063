"""Both batch APIs: the script answers each request once; the results lie ready, the last first, after some polls."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.scripted.script import Api, Asked, Fault, Reply
from tests.scripted.wire import Json, Written, error_body

NOW = "2026-01-01T00:00:00Z"


@dataclass
class Batch:
    """A batch that was made: each request's id, what was asked, and what comes of it; a stall is one that expires."""

    api: Api
    name: str
    requests: list[tuple[str, Asked, Reply | Fault]]
    polls: int = 0


class Batches:
    """`sent` holds the batches, of which each is in progress for `rounds` polls; `polled` is called at each.

    ends: how OpenAI's end. offered: whether there is the API at all. gone: batches that are no longer known.
    """

    def __init__(self, take: Callable[[Api, Json, Request], tuple[Asked, Reply | Fault]]) -> None:
        self._take = take
        self.reset()

    def reset(self) -> None:
        self.sent: list[Batch] = []
        self.rounds = 1
        self.polled: Callable[[Batch], None] = lambda _: None
        self.ends, self.offered = "completed", True
        self.gone: set[str] = set()
        self._files: list[list[Json]] = []

    def routes(self) -> list[Route]:
        return [
            Route("/v1/files", self._upload, methods=["POST"]),
            Route("/v1/files/{name}/content", self._content),
            Route("/v1/batches", self._made, methods=["POST", "GET"]),
            Route("/v1/batches/{name}", self._batch),
            Route("/v1/messages/batches", self._made, methods=["POST", "GET"]),
            Route("/v1/messages/batches/{name}", self._batch),
            Route("/v1/messages/batches/{name}/results", self._content),
        ]

    async def _upload(self, request: Request) -> Response:
        lines = (await request.body()).splitlines()
        self._files.append([json.loads(line) for line in lines if line.startswith(b'{"custom_id"')])
        return JSONResponse({"id": f"file-{len(self._files) - 1}", "object": "file"})

    async def _made(self, request: Request) -> Response:
        if not self.offered:
            return JSONResponse({"error": {"message": "no such page"}}, 404)
        if request.method == "GET":
            return JSONResponse({"data": [], "has_more": False})
        api: Api = "anthropic" if "messages" in request.url.path else "openai"
        body = await request.json()
        lines = body["requests"] if api == "anthropic" else self._files[int(body["input_file_id"][5:])]
        requests = [
            (line["custom_id"], *self._take(api, line.get("params") or line["body"], request)) for line in lines
        ]
        self.sent.append(Batch(api, f"batch_{len(self.sent)}", requests))
        return JSONResponse(self._told(self.sent[-1], request))

    async def _batch(self, request: Request) -> Response:
        batch = self._named(request)
        batch.polls += 1
        self.polled(batch)
        if batch.name in self.gone:
            return JSONResponse({"error": {"message": "no such batch"}}, 404)
        return JSONResponse(self._told(batch, request))

    async def _content(self, request: Request) -> Response:
        batch = self._named(request)
        lines = [_line(batch.api, *each) for each in reversed(batch.requests)]
        return Response("\n".join(map(json.dumps, lines)), media_type="application/binary")

    def _named(self, request: Request) -> Batch:
        return self.sent[int(request.path_params["name"].removeprefix("batch_"))]

    def _told(self, batch: Batch, request: Request) -> Json:
        ended, size = batch.polls > self.rounds, len(batch.requests)
        if batch.api == "anthropic":
            counts = {"processing": 0 if ended else size, "succeeded": size if ended else 0}
            counts |= dict.fromkeys(("errored", "canceled", "expired"), 0)
            url = f"{request.base_url}v1/messages/batches/{batch.name}/results" if ended else None
            status = {"processing_status": "ended" if ended else "in_progress", "results_url": url}
            times = {"created_at": NOW, "expires_at": NOW, "ended_at": NOW if ended else None}
            return {"id": batch.name, "type": "message_batch", "request_counts": counts, **status, **times}
        counts = {"total": size, "completed": size if ended else 0, "failed": 0}
        status = {"status": self.ends if ended else "in_progress", "output_file_id": batch.name if ended else None}
        head = {"id": batch.name, "object": "batch", "endpoint": "/v1/chat/completions", "completion_window": "24h"}
        return head | {"created_at": 0, f"{self.ends}_at": 60, "request_counts": counts, "input_file_id": "", **status}


def _line(api: Api, name: str, asked: Asked, outcome: Reply | Fault) -> dict[str, Any]:
    expired = isinstance(outcome, Fault) and outcome.kind == "stall"
    error = error_body(api, dict(outcome.error)) if isinstance(outcome, Fault) else {}
    if api == "anthropic":
        if isinstance(outcome, Fault):
            return {
                "custom_id": name,
                "result": {"type": "expired"} if expired else {"type": "errored", "error": error},
            }
        return {"custom_id": name, "result": {"type": "succeeded", "message": Written(asked, outcome).plain()}}
    if expired:
        return {"custom_id": name, "response": None, "error": {"code": "batch_expired", "message": "too late"}}
    status, body = (outcome.status, error) if isinstance(outcome, Fault) else (200, Written(asked, outcome).plain())
    return {"custom_id": name, "response": {"status_code": status, "body": body}, "error": None}
