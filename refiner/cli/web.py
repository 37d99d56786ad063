"""`refiner tui --web`: the terminal UI in a browser of this machine, by textual-serve."""

import secrets
import shlex
import sys
from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web
from textual_serve.server import Server

HOST = "127.0.0.1"
COOKIE = "refiner-tui"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Guarded(Server):
    """Answers on the loopback interface alone, and only who has been given the address with its token: any page of a
    browser can reach the port, and so can any user of the machine."""

    def __init__(self, words: Sequence[str], port: int) -> None:
        super().__init__(shlex.join([sys.executable, "-m", "refiner", "tui", *words]), HOST, port, "refiner")
        self._socket = f"ws://{HOST}:{port}"
        self.token = secrets.token_urlsafe(24)

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self._guard)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.query.get("token", request.cookies.get(f"{COOKIE}-{self.port}", ""))
        if request.host != f"{HOST}:{self.port}" or not secrets.compare_digest(given.encode(), self.token.encode()):
            raise web.HTTPForbidden(text="open the address that `refiner tui --web` has printed\n")
        if request.headers.get("Origin", self.public_url) != self.public_url:
            raise web.HTTPForbidden(text="not from another page\n")
        response = await handler(request)
        if not response.prepared:
            # The page asks for a font of another host, and nothing is to leave the machine.
            response.headers["Content-Security-Policy"] = f"default-src 'self' data: 'unsafe-inline' {self._socket}"
            response.set_cookie(f"{COOKIE}-{self.port}", self.token, httponly=True, samesite="Strict")
        return response

    def initialize_logging(self) -> None:
        """Nothing but errors is logged, and they go where Python sends them."""

    async def on_startup(self, app: web.Application) -> None:
        print(f"{self.public_url}/?token={self.token}", flush=True)  # noqa: T201
