"""A hub of data sets that answers as the Hugging Face hub does: what a revision holds, and its files."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

REPO = "ada/sums"


class Hub(ThreadingHTTPServer):
    """One data set. files: by name; status: what it answers instead, if not 200; asked: the paths, in order."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.files: dict[str, bytes] = {}
        self.status = 200
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def commit(self) -> str:
        return hashlib.sha1(json.dumps([*self.files.items()], default=bytes.hex).encode()).hexdigest()


class _Answers(BaseHTTPRequestHandler):
    server: Hub

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.server.asked.append(path)
        hub = self.server
        if hub.status != 200 or REPO not in path:
            self._answer(hub.status if hub.status != 200 else 404, b"{}", {"X-Error-Code": "RepoNotFound"})
        elif "/tree/" in path:
            told = [
                {"type": "file", "path": name, "size": len(data), "oid": _etag(data)}
                for name, data in hub.files.items()
            ]
            self._answer(200, json.dumps(told).encode())
        elif path.startswith("/api/"):
            siblings = [{"rfilename": name} for name in hub.files]
            self._answer(200, json.dumps({"id": REPO, "sha": hub.commit, "siblings": siblings}).encode())
        else:
            data = hub.files[path.split("/resolve/")[1].partition("/")[2]]
            self._answer(200, data, {"ETag": f'"{_etag(data)}"', "X-Repo-Commit": hub.commit})

    do_HEAD = do_GET  # noqa: N815 - as the library calls it

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""

    def _answer(self, status: int, data: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)


def _etag(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()


@contextmanager
def serving() -> Iterator[Hub]:
    with Hub() as hub:
        thread = threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield hub
        finally:
            hub.shutdown()
            thread.join()
