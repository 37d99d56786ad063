"""A hub that redirects to where the bytes are, as the Hugging Face hub does, on two addresses of this machine."""

import hashlib
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from socket import socket

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

FILE = b"GGUF" + bytes(range(251)) * 8_000
_CHUNK = 64 * 1024


class Hub:
    """Serves `content` under any name, saying that its SHA-256 is `sha256`.

    status: what the hub answers instead, if not 302. cuts: after how many bytes each of the next downloads breaks off.
    asked: path, Authorization and Range of each request, in order.
    """

    def __init__(self) -> None:
        routes = [Route("/bytes", self._bytes), Route("/{owner}/{repo}/resolve/{revision}/{file:path}", self._resolve)]
        self._app = Starlette(routes=routes)
        self.url = self.store = ""
        self.content = FILE
        self.sha256: str | None = hashlib.sha256(FILE).hexdigest()
        self.etag: str | None = '"one"'
        self.status = 302
        self.cuts: list[int] = []
        self.asked: list[tuple[str, str | None, str | None]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    async def _resolve(self, request: Request) -> Response:
        self._record(request)
        if self.status != 302:
            return Response("<html>no</html>", self.status)
        said = {"x-linked-etag": f'"{self.sha256}"', "x-linked-size": str(len(self.content))} if self.sha256 else {}
        return RedirectResponse(f"{self.store}/bytes", 302, said)

    async def _bytes(self, request: Request) -> Response:
        self._record(request)
        wanted, condition = request.headers.get("range"), request.headers.get("if-range")
        begin = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and condition in (None, self.etag) else 0
        if begin >= len(self.content):
            return Response(status_code=416)
        rest = self.content[begin:]
        headers = {"content-length": str(len(rest))} | ({"etag": self.etag} if self.etag else {})
        if begin:
            headers["content-range"] = f"bytes {begin}-{len(self.content) - 1}/{len(self.content)}"
        cut = self.cuts.pop(0) if self.cuts else len(rest)
        return StreamingResponse(_sent(rest, cut), 206 if begin else 200, headers)

    def _record(self, request: Request) -> None:
        self.asked.append((request.url.path, request.headers.get("authorization"), request.headers.get("range")))


async def _sent(content: bytes, cut: int) -> AsyncIterator[bytes]:
    for begin in range(0, min(cut, len(content)), _CHUNK):
        yield content[begin : min(begin + _CHUNK, cut)]
    if cut < len(content):
        raise ConnectionError("the line is cut")


@contextmanager
def serve() -> Iterator[Hub]:
    hub = Hub()
    server = uvicorn.Server(
        uvicorn.Config(hub, log_config=None, log_level="critical", access_log=False, lifespan="off")
    )
    with socket() as first, socket() as second:
        for listener in (first, second):
            listener.bind(("127.0.0.1", 0))
            listener.listen()
        hub.url, hub.store = (f"http://127.0.0.1:{listener.getsockname()[1]}" for listener in (first, second))
        thread = threading.Thread(target=server.run, args=([first, second],), daemon=True)
        thread.start()
        try:
            yield hub
        finally:
            server.should_exit = server.force_exit = True
            thread.join()
