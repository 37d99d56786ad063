"""HTTP at little cost: what a model is asked goes out in one system call, and an idle connection takes none.

httpx2's own transport asks the kernel about every idle connection at each request, looks through all of them three
times, and pauses and resumes each socket; at hundreds of calls a second that is more than the rest of a call. Only the
socket and the choice of a connection are replaced here: HTTP/1.1 itself stays httpcore2's.
"""

import asyncio
import ssl
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from typing import Any
from urllib.request import getproxies

import httpcore2
import httpx2

KEPT = 5.0
"""Seconds that an idle connection is kept for the next call."""

_MUCH = 1 << 20
"""Bytes that may wait to be read before the other side has to."""

_FAILURES = (httpcore2.TimeoutException, httpcore2.NetworkError, httpcore2.ProtocolError)


def client(timeout: httpx2.Timeout) -> httpx2.AsyncClient:
    """A client for an SDK; behind a proxy of the environment it is httpx2's own."""
    transport = None if getproxies() else Transport()
    return httpx2.AsyncClient(transport=transport, timeout=timeout, follow_redirects=True)


class _Connection(httpcore2.AsyncHTTP11Connection):
    def __init__(self, origin: httpcore2.Origin, stream: "Stream") -> None:
        super().__init__(origin, stream, keepalive_expiry=KEPT)
        self.socket = stream


class Transport(httpx2.AsyncBaseTransport):
    """As many connections as there are calls at once; whoever lets calls in bounds both."""

    def __init__(self) -> None:
        self._idle: defaultdict[str, deque[_Connection]] = defaultdict(deque)
        self._tls: ssl.SSLContext | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        assert isinstance(request.stream, httpx2.AsyncByteStream)  # noqa: S101
        url = request.url
        target = httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        asked = httpcore2.Request(
            request.method,
            target,
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        try:
            connection = await self._connection(target.origin, request.extensions.get("timeout", {}).get("connect"))
            try:
                got = await connection.handle_async_request(asked)
            except BaseException:
                connection.socket.abort()
                raise
        except _FAILURES as error:
            raise _known(error) from error
        body = _Body(got.stream, connection, self._idle[str(target.origin)])
        return httpx2.Response(got.status, headers=got.headers, stream=body, extensions=got.extensions)

    async def aclose(self) -> None:
        for idle in self._idle.values():
            while idle:
                await idle.pop().aclose()

    async def _connection(self, origin: httpcore2.Origin, timeout: float | None) -> "_Connection":
        """The connection that was used last, so that those which are not needed grow old; else a new one."""
        idle = self._idle[str(origin)]
        while idle and idle[0].has_expired():
            await idle.popleft().aclose()
        while idle:
            if not (connection := idle.pop()).has_expired():
                return connection
            await connection.aclose()
        return _Connection(origin, await self._opened(origin, timeout))

    async def _opened(self, origin: httpcore2.Origin, timeout: float | None) -> "Stream":
        secure = origin.scheme == b"https"
        if secure and self._tls is None:
            self._tls = httpx2.create_ssl_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        connecting = asyncio.create_task(_connected(origin, self._tls if secure else None, timeout))
        try:
            # Python 3.11 loses the socket of a race between addresses that is cancelled as it is won.
            return await asyncio.shield(connecting)
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout(str(error)) from error
        except OSError as error:
            raise httpcore2.ConnectError(str(error)) from error
        except asyncio.CancelledError:
            connecting.add_done_callback(_let_go)
            raise


async def _connected(origin: httpcore2.Origin, tls: ssl.SSLContext | None, timeout: float | None) -> "Stream":
    host, loop = origin.host.decode("ascii"), asyncio.get_running_loop()
    async with asyncio.timeout(timeout):
        # The addresses of a name are tried side by side (RFC 8305).
        _, stream = await loop.create_connection(Stream, host, origin.port, ssl=tls, happy_eyeballs_delay=0.25)
    return stream


def _let_go(connecting: "asyncio.Task[Stream]") -> None:
    if not connecting.cancelled() and connecting.exception() is None:
        connecting.result().abort()


class _Body(httpx2.AsyncByteStream):
    """What is left to read of a reply; closed, it gives its connection back if that can take another call."""

    def __init__(
        self,
        stream: Any,
        connection: _Connection,
        idle: deque[_Connection],
    ) -> None:
        self._stream, self._connection, self._idle = stream, connection, idle
        self._closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for part in self._stream:
                yield part
        except _FAILURES as error:
            raise _known(error) from error

    async def aclose(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            await self._stream.aclose()
        finally:
            if self._connection.is_idle():
                self._idle.append(self._connection)
            else:
                self._connection.socket.abort()


class Stream(asyncio.Protocol, httpcore2.AsyncNetworkStream):
    """A socket. What is written waits for the rest of its request, and leaves when the answer is awaited."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._out: list[bytes] = []
        self._in = bytearray()
        self._ended = False
        self._error: Exception | None = None
        self._more: asyncio.Future[None] | None = None

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._out:
            self._transport.write(b"".join(self._out))
            self._out.clear()
        if not self._in and not self._ended:
            await self._until_more(timeout)
        if not self._in and self._error:
            raise httpcore2.ReadError(str(self._error)) from self._error
        data = bytes(self._in[:max_bytes])
        del self._in[:max_bytes]
        if not self._in and not self._ended and not self._transport.is_reading():
            self._transport.resume_reading()
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._out.append(buffer)

    async def aclose(self) -> None:
        self._transport.close()
        try:
            # One round of the loop says goodbye; the other side's is not waited for.
            await asyncio.sleep(0)
        finally:
            self.abort()

    def abort(self) -> None:
        self._transport.abort()

    def get_extra_info(self, info: str) -> Any:
        # Nothing may come while nothing is asked, so whatever has come is the end.
        return self._ended or bool(self._in) if info == "is_readable" else self._transport.get_extra_info(info)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._in += data
        if len(self._in) >= _MUCH:
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        self._ended = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended, self._error = True, exc
        self._wake()

    async def _until_more(self, timeout: float | None) -> None:
        self._more = self._loop.create_future()
        timer = None if timeout is None else self._loop.call_later(timeout, self._wake, httpcore2.ReadTimeout())
        try:
            await self._more
        finally:
            self._more = None
            if timer:
                timer.cancel()

    def _wake(self, error: Exception | None = None) -> None:
        if self._more is None or self._more.done():
            return
        if error is None:
            self._more.set_result(None)
        else:
            self._more.set_exception(error)


def _known(error: Exception) -> httpx2.TransportError:
    """The error of httpx2 that has the name of httpcore2's."""
    twin: type[httpx2.TransportError] = getattr(httpx2, type(error).__name__)
    return twin(str(error))
