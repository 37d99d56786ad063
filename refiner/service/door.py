"""What each request passes first: over TCP its address and token, everywhere the version that it speaks."""

from contextlib import suppress
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from refiner.client.client import ANY_VERSION, API, VERSION_HEADER
from refiner.domain.errors import UsageError, VersionError
from refiner.service.tcp import Tcp

_STAMP = (VERSION_HEADER.lower().encode(), str(API).encode())


@dataclass(frozen=True, slots=True)
class Door:
    """Lets requests through to the app, and says with each reply which version of the API it is."""

    app: ASGIApp
    tcp: Tcp | None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def stamped(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], _STAMP]
            await send(message)

        with suppress(ClientDisconnect):
            await (self._refusal(scope) or self.app)(scope, receive, stamped)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if scope["server"][1] is not None:  # no port: the Unix socket, whose kernel has asked already
            assert self.tcp is not None  # noqa: S101
            try:
                if not self.tcp.goes_by(headers.get("host", "")):
                    return _refused(403, "the service does not go by that Host: ask for the address it listens at")
            except ValueError:
                return _refused(400, "the Host header names no host")
            if not self.tcp.opened_by(headers.get("authorization", "")):
                said = "the token is missing or wrong: send the one that `refiner serve` names, as a bearer token"
                return _refused(401, said, {"WWW-Authenticate": "Bearer"})
        spoken = headers.get(VERSION_HEADER, str(API))
        if spoken != str(API) and scope["path"] not in ANY_VERSION:
            said = (
                f"the service speaks version {API} of its API, not {spoken[:20]}: use the program it was started with"
            )
            return _refused(400, said, kind=VersionError.kind)
        return None


def _refused(status: int, message: str, headers: dict[str, str] | None = None, kind: str = UsageError.kind) -> Response:
    return JSONResponse({"error": {"kind": kind, "message": message, "run": None}}, status, headers)
