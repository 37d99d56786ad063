"""Requests to the service over its Unix socket."""

import http.client
import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from refiner.domain.errors import DaemonError, RefinerError, VersionError, error_of

API = 1
"""The version of what is said over the socket; it rises when an older program would misunderstand it."""

VERSION_HEADER = "Refiner-Api"

ANY_VERSION = ("/v1/shutdown",)
"""What a program of another version may ask for too."""


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float | None) -> None:
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


class Client:
    """One request at a time. Every method raises DaemonError where nothing answers, and the error that the service
    tells otherwise."""

    def __init__(self, path: Path, timeout: float = 30.0) -> None:
        self._path, self._timeout = path, timeout

    def get(self, place: str) -> Any:
        return self._asked("GET", place, None, {})

    def post(self, place: str, body: object = None, headers: Mapping[str, str] | None = None) -> Any:
        return self._asked("POST", place, body or {}, headers or {})

    def patch(self, place: str, body: object) -> Any:
        return self._asked("PATCH", place, body, {})

    def delete(self, place: str) -> Any:
        return self._asked("DELETE", place, None, {})

    def events(self, place: str, last: int | None = None) -> Iterator[tuple[str, Any]]:
        """Server-sent events as they come: their type and what they tell, until the service says goodbye."""
        headers = {} if last is None else {"Last-Event-ID": str(last)}
        with self._connected(None) as connection:
            reply = _sent(connection, "GET", place, None, headers)
            kind = ""
            while line := reply.readline():
                name, _, value = line.decode().rstrip("\r\n").partition(": ")
                if name == "event":
                    kind = value
                elif kind == "goodbye":
                    return
                elif name == "data":
                    yield kind, value if kind == "dropped" else json.loads(value)

    def _asked(self, method: str, place: str, body: object, headers: Mapping[str, str]) -> Any:
        with self._connected(self._timeout) as connection:
            return json.loads(_sent(connection, method, place, body, headers).read())

    @contextmanager
    def _connected(self, timeout: float | None) -> Iterator[_Connection]:
        connection = _Connection(self._path, timeout)
        try:
            yield connection
        except (OSError, http.client.HTTPException) as error:
            raise DaemonError(f"no service answers at {self._path}: `refiner serve` starts one") from error
        finally:
            connection.close()


def _sent(
    connection: _Connection, method: str, place: str, body: object, headers: Mapping[str, str]
) -> http.client.HTTPResponse:
    """The reply to a request. Raises VersionError, and the error that the service tells."""
    data = None if body is None else json.dumps(body).encode()
    own = {"Content-Type": "application/json", VERSION_HEADER: str(API)}
    connection.request(method, place, data, {**own, **headers})
    reply = connection.getresponse()
    spoken = reply.getheader(VERSION_HEADER)
    if spoken is None:
        raise DaemonError(f"what answers at {connection.path} is no service of refiner's")
    if spoken != str(API) and place not in ANY_VERSION:
        raise VersionError(
            f"the service speaks version {spoken} of its API and this program version {API}: "
            "end it with `refiner daemon stop`, and start it again with `refiner serve`"
        )
    if reply.status >= 400 and place != "/readyz":  # which says what is missing under 503
        raise _told(reply.read())
    return reply


def _told(data: bytes) -> RefinerError:
    try:
        error = json.loads(data)["error"]
        told = error_of(error["kind"], error["message"])
        told.run = error.get("run")
    except (ValueError, KeyError, TypeError):
        return DaemonError("the service answers with an error that says nothing")
    return told
