"""The transport below the SDKs, against a bare server: which connections are used again, and what silence is."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2
import pytest

from refiner.providers import wire

pytestmark = pytest.mark.anyio

Answer = Callable[["Server", asyncio.Transport], None]


class Server(asyncio.Protocol):
    """Hands each request that is complete to `answer`; `seen` counts connections and requests, `lost` is their end."""

    def __init__(self, answer: Answer, seen: list[int], lost: asyncio.Event) -> None:
        self._answer, self._seen, self._lost = answer, seen, lost

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._seen[0] += 1

    def data_received(self, data: bytes) -> None:
        if data.endswith(b"\r\n\r\n"):
            self._seen[1] += 1
            self._answer(self, self._transport)


def said(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


@asynccontextmanager
async def served(
    answer: Answer, timeout: float = 10.0, lost: asyncio.Event | None = None
) -> AsyncIterator[tuple[Callable[[], Coroutine[Any, Any, bytes]], list[int]]]:
    seen = [0, 0]
    server = await asyncio.get_running_loop().create_server(
        lambda: Server(answer, seen, lost or asyncio.Event()), "127.0.0.1", 0
    )
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    client = httpx2.AsyncClient(transport=wire.Transport(), timeout=timeout)

    async def get() -> bytes:
        return (await client.get(url)).content

    try:
        yield get, seen
    finally:
        await client.aclose()
        server.close()


async def test_calls_one_after_the_other_share_a_connection() -> None:
    async with served(lambda _, transport: transport.write(said(b"yes"))) as (get, seen):
        assert [await get() for _ in range(5)] == [b"yes"] * 5
        assert seen == [1, 5]


async def test_calls_at_once_have_one_each_and_leave_them_to_the_next() -> None:
    waiting: list[asyncio.Transport] = []

    def answer(_: Server, transport: asyncio.Transport) -> None:
        waiting.append(transport)
        if len(waiting) == 3:
            while waiting:
                waiting.pop().write(said(b"yes"))

    async with served(answer) as (get, seen):
        for _ in range(2):
            async with anyio.create_task_group() as group:
                for _ in range(3):
                    group.start_soon(get)
        assert seen == [3, 6]


async def test_a_connection_that_the_server_closed_is_not_used_again() -> None:
    def answer(_: Server, transport: asyncio.Transport) -> None:
        transport.write(said(b"yes"))
        transport.close()

    async with served(answer) as (get, seen):
        for _ in range(3):
            assert await get() == b"yes"
            await anyio.wait_all_tasks_blocked()
        assert seen == [3, 3]


async def test_a_connection_that_is_too_old_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "KEPT", -1.0)
    async with served(lambda _, transport: transport.write(said(b"yes"))) as (get, seen):
        assert [await get() for _ in range(2)] == [b"yes"] * 2
        assert seen == [2, 2]


async def test_a_reply_longer_than_what_may_wait_arrives_whole() -> None:
    body = bytes(range(256)) * 40_000
    async with served(lambda _, transport: transport.write(said(body))) as (get, _):
        assert await get() == body


async def test_silence_is_a_timeout() -> None:
    async with served(lambda *_: None, timeout=0.05) as (get, _):
        with pytest.raises(httpx2.ReadTimeout):
            await get()


async def test_a_reply_that_breaks_off_is_an_error() -> None:
    def answer(_: Server, transport: asyncio.Transport) -> None:
        transport.write(said(b"yes")[:-1])
        transport.close()

    async with served(answer) as (get, _):
        with pytest.raises(httpx2.RemoteProtocolError):
            await get()


async def test_a_call_that_is_given_up_takes_its_connection_with_it() -> None:
    asked = asyncio.Event()

    def answer(_: Server, transport: asyncio.Transport) -> None:
        if asked.is_set():
            transport.write(said(b"yes"))
        asked.set()

    async with served(answer) as (get, seen):
        async with anyio.create_task_group() as group:
            group.start_soon(get)
            await asked.wait()
            group.cancel_scope.cancel()
        assert await get() == b"yes"
        assert seen == [2, 2]


async def test_a_call_that_is_given_up_before_it_leaves_does_not_lose_its_connection() -> None:
    lost = asyncio.Event()
    async with served(lambda _, transport: transport.write(said(b"yes")), lost=lost) as (get, seen):
        assert await get() == b"yes"
        with anyio.CancelScope() as scope:
            scope.cancel()
            await get()
        with anyio.fail_after(10):
            await lost.wait()
        assert await get() == b"yes"
        assert seen == [2, 2]
