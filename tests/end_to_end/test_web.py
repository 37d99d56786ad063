"""`refiner tui --web`: the terminal UI in a browser, on the loopback interface and for who knows the address."""

import signal
import socket

import aiohttp
import httpx2
import pytest

from tests.end_to_end.program import Program


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


pytestmark = pytest.mark.anyio


async def test_it_is_shown_to_who_knows_the_address(refiner: Program, port: int) -> None:
    server = refiner.start("tui", "--web", "--port", str(port), piped=True)
    address = server.line().strip()
    root = f"http://127.0.0.1:{port}"
    assert address.startswith(f"{root}/?token=")
    for other in ("127.0.0.2", "::1"):
        with pytest.raises(OSError, match=r"refused|assign|unreachable"):
            socket.create_connection((other, port), 5)
    assert httpx2.get(root).status_code == httpx2.get(f"{address}x").status_code == 403
    for name, elsewhere in (("Origin", "http://evil.example"), ("Host", f"evil.example:{port}")):
        assert httpx2.get(address, headers={name: elsewhere}).status_code == 403
    page = httpx2.get(address)
    assert (page.status_code, page.headers["content-security-policy"].split(";")[0][:18]) == (200, "default-src 'self'")
    async with (
        aiohttp.ClientSession(cookies=dict(page.cookies)) as session,
        session.ws_connect(f"ws://127.0.0.1:{port}/ws?width=100&height=30") as screen,
    ):
        shown = b""
        while b"refiner solve" not in shown:  # what the screen says that has no run yet
            message = await screen.receive(30)
            assert message.type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT)
            shown += message.data if isinstance(message.data, bytes) else b""
    server.signal(signal.SIGTERM)
    server.wait()
