"""Weights from the Hugging Face hub or a mirror of it: resumable, and kept only if they are what the hub says."""

import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

import httpx2
from filelock import FileLock, Timeout

from refiner.config.paths import made
from refiner.domain.errors import AuthError, NotFoundError, ProviderError, UsageError
from refiner.providers.local.known import KNOWN
from refiner.providers.local.weights import Progress, check_magic, file_of, mark, sha256_of, storing

HUB = "https://huggingface.co"

_NAME = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)/(?P<file>[\w./-]+\.gguf)(?:@(?P<revision>[\w./-]+))?")
_SHA256 = re.compile(r'"?([0-9a-f]{64})"?')
_PARTIAL, _BEYOND_END = 206, 416
_SILENCE = httpx2.Timeout(60.0, connect=10.0)


def pull(name: str, models: Path, progress: Progress | None = None, environ: Mapping[str, str] = os.environ) -> Path:
    """Fetch a known model, or "owner/repository/file.gguf" with an optional "@revision", into the folder of weights.

    Returns the file's path, at once if it is there already; a download that was cut goes on where it stopped.
    HF_ENDPOINT names another hub; HF_TOKEN is sent to the hub alone, not where it redirects to.
    Raises UsageError, NotFoundError, AuthError, ProviderError, and StoreError where there is no room.
    """
    source = _source(name, models, environ.get("HF_ENDPOINT") or HUB)
    if source.target.exists():
        check_magic(source.target)
        return source.target
    token = environ.get("HF_TOKEN")
    headers = {"Accept-Encoding": "identity"} | ({"Authorization": f"Bearer {token}"} if token else {})
    with storing(models), httpx2.Client(headers=headers, timeout=_SILENCE, follow_redirects=True) as client:
        lock = FileLock(made(source.target.parent) / f".{source.target.name}.lock", timeout=0)
        try:
            with lock:
                _fetch(client, source, progress)
        except Timeout:
            raise UsageError(f"another process is fetching {name}: wait until it is done") from None
        except httpx2.HTTPError as error:
            host = httpx2.URL(source.url).host
            raise ProviderError(
                f"cannot fetch {name} from {host}: {error}; try again, it goes on from there"
            ) from error
    return source.target


@dataclass(frozen=True, slots=True)
class _Source:
    """What is to be fetched and where it is kept; sha256 where refiner knows it beforehand."""

    name: str
    url: str
    target: Path
    sha256: str | None

    @property
    def part(self) -> Path:
        return self.target.with_name(f".{self.target.name}.part")


@dataclass(frozen=True, slots=True)
class _Begun:
    """What a part on disk is a part of; etag is empty where the server gave none that identifies bytes."""

    sha256: str
    etag: str = ""
    size: int | None = None


def _source(name: str, models: Path, hub: str) -> _Source:
    known = next((weights for weights in KNOWN if weights.name == name), None)
    found = _NAME.fullmatch(known.hub if known else name)
    if not found or ".." in name.split("/"):
        names = ", ".join(weights.name for weights in KNOWN)
        raise UsageError(f"cannot pull {name!r}: give owner/repository/file.gguf[@revision], or one of {names}")
    revision = quote(found["revision"] or "main", safe="")
    url = f"{hub.rstrip('/')}/{found['repo']}/resolve/{revision}/{quote(found['file'])}"
    if known:
        return _Source(name, url, file_of(known, models), known.sha256)
    return _Source(name, url, models / name, None)


def _fetch(client: httpx2.Client, source: _Source, progress: Progress | None) -> None:
    """Download, go on after every cut that brought something, check, and put the file in its place."""
    while True:
        before = _size(source.part)
        try:
            begun = _download(client, source, progress)
            break
        except httpx2.TransportError:
            if _size(source.part) <= before:
                raise
    try:
        if sha256_of(source.part) != begun.sha256:
            raise UsageError(f"what came for {source.name} is not the file: its SHA-256 differs; pull it again")
        check_magic(source.part)
        source.part.replace(source.target)
    finally:
        source.part.unlink(missing_ok=True)
        _note(source.part).unlink(missing_ok=True)
    mark(source.target, begun.sha256)


def _download(client: httpx2.Client, source: _Source, progress: Progress | None) -> _Begun:
    """One request for what is missing of the part; what the part is of."""
    begun, have = _begun(source.part), _size(source.part)
    if begun and begun.size == have:
        return begun
    headers = {"Range": f"bytes={have}-"} if begun and have else {}
    if headers and begun and begun.etag:
        headers["If-Range"] = begun.etag
    with client.stream("GET", source.url, headers=headers) as response:
        coming = _coming(source, response)
        partial = response.status_code == _PARTIAL
        if response.status_code == _BEYOND_END or (partial and (begun is None or begun.sha256 != coming.sha256)):
            source.part.unlink()
            return _download(client, source, progress)
        _note(source.part).write_text(json.dumps(asdict(coming)), encoding="ascii")
        done = have if partial else 0
        with source.part.open("ab" if partial else "wb") as out:
            for chunk in response.iter_bytes():
                out.write(chunk)
                done += len(chunk)
                if progress:
                    progress(done, coming.size or done)
    return coming


def _coming(source: _Source, response: httpx2.Response) -> _Begun:
    """What the server says it sends. Raises NotFoundError, AuthError, ProviderError, or UsageError without a hash."""
    status, host = response.status_code, response.history[0].url.host if response.history else response.url.host
    if status in (401, 403):
        raise AuthError(f"{host} does not give out {source.name} ({status}): check the name, or set HF_TOKEN")
    if status == 404:
        raise NotFoundError(f"{host} has no {source.name} (404): check owner, repository, file and revision")
    if status >= 400 and status != _BEYOND_END:
        raise ProviderError(f"{host} failed ({status}): try again later", retryable=status == 429 or status >= 500)
    said: dict[str, str] = {}
    for step in (*response.history, response):  # the hub says it before it redirects to where the bytes are
        said |= {key: step.headers[key] for key in ("x-linked-etag", "x-linked-size") if key in step.headers}
    linked = _SHA256.fullmatch(said.get("x-linked-etag", ""))
    sha256 = source.sha256 or (linked[1] if linked else None)
    if sha256 is None:
        raise UsageError(f"{host} does not say the SHA-256 of {source.name}, so it could not be checked")
    etag = response.headers.get("etag", "")
    size = said.get("x-linked-size", "")
    return _Begun(sha256, "" if etag.startswith("W/") else etag, int(size) if size.isdecimal() else None)


def _begun(part: Path) -> _Begun | None:
    with suppress(OSError, ValueError, TypeError):
        return _Begun(**json.loads(_note(part).read_text(encoding="ascii")))
    return None


def _note(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0
