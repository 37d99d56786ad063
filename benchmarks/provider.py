"""A provider that costs next to nothing but its latency: `python -m benchmarks.provider SECONDS [PACE]` prints its base
URL. With a pace, a streamed reply comes in a hundred pieces, so many seconds apart.

It answers what the prompts of refiner and of TextGrad ask for, each reply with another text, and either as a stream or
whole. The scripted provider of the tests takes over a millisecond a call: at 640 a second it would itself be the limit.
"""

import asyncio
import json
import re
import sys
from itertools import count

WORDS = " ".join(["considering each step of the argument once more"] * 12)
_LENGTH = b"content-length:"


class Exchange(asyncio.Protocol):
    """One connection: requests of HTTP/1.1 come one after the other, and each is answered after the latency."""

    numbers = count()

    def __init__(self, latency: float, pace: float) -> None:
        self._latency, self._pace, self._buffer = latency, pace, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, body = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return
        at = head.lower().find(_LENGTH)
        length = int(head[at + len(_LENGTH) :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(body) >= length:
            self._buffer = body[length:]
            size = 6 if self._pace else 200
            answer = (
                _reply(body[:length], next(self.numbers), size) if length else _http(b"{}", "application/json", 404)
            )
            for number, piece in enumerate(re.split(b"(?<=\n\n)", answer) if self._pace else [answer]):
                wait = self._latency + number * self._pace if length else 0
                asyncio.get_running_loop().call_later(wait, self._transport.write, piece)


def _reply(body: bytes, number: int, size: int) -> bytes:
    text = f"Version {number}: {WORDS}."
    if b"<improved>" in body:
        text = f"<improved>{text}</improved>"
    elif b"<IMPROVED_VARIABLE>" in body:
        text = f"<IMPROVED_VARIABLE>{text}</IMPROVED_VARIABLE>"
    elif b"Verdict:" in body:
        text += "\nVerdict: flawed"
    usage = {"prompt_tokens": len(body) // 4, "completion_tokens": 100, "total_tokens": len(body) // 4 + 100}
    head = {"id": f"chatcmpl-{number}", "created": 0, "model": "scripted"}
    if b'"stream":true' not in body:
        message = {"role": "assistant", "content": text}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        whole = head | {"object": "chat.completion", "choices": choices, "usage": usage}
        return _http(json.dumps(whole).encode(), "application/json")
    deltas = [{"content": text[at : at + size]} for at in range(0, len(text), size)]
    choices = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    choices.append({"index": 0, "delta": {}, "finish_reason": "stop"})
    chunks = [{"choices": [choice]} for choice in choices] + [{"choices": [], "usage": usage}]
    events = [json.dumps(head | {"object": "chat.completion.chunk"} | chunk) for chunk in chunks]
    return _http("".join(f"data: {event}\n\n" for event in [*events, "[DONE]"]).encode(), "text/event-stream")


def _http(body: bytes, kind: str, status: int = 200) -> bytes:
    head = f"HTTP/1.1 {status} OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def _serve(latency: float, pace: float = 0.0) -> None:
    server = await asyncio.get_running_loop().create_server(
        lambda: Exchange(latency, pace), "127.0.0.1", 0, backlog=2048
    )
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(*map(float, sys.argv[1:])))
