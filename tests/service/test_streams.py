"""Server-sent events over real sockets: replayed, live, pinged; readers that are slow, leave or lie."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from refiner.domain.events import Delta, Note
from refiner.service import api, feed
from tests.service.live import Live

Line = tuple[str, str]


@contextmanager
def listening(live: Live, last: object = None, buffer: int | None = None) -> Iterator[socket.socket]:
    """A reader whose stream has begun; buffer: bytes that its system holds for it."""
    header = "" if last is None else f"Last-Event-ID: {last}\r\n"
    count = live.api.feed.listeners
    with socket.socket() as sock:
        if buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        sock.connect(("127.0.0.1", live.port))
        sock.settimeout(10)  # shorter than the silence between two pings
        sock.sendall(f"GET /v1/events HTTP/1.1\r\nHost: x\r\n{header}\r\n".encode())
        while live.api.feed.listeners == count:
            pass
        yield sock


def lines(sock: socket.socket) -> Iterator[Line]:
    """Field and value of each line of a stream."""
    with sock.makefile("rb") as file:
        while line := file.readline():
            field, colon, value = line.decode().rstrip().partition(":")
            if colon:
                yield field, value.strip()


def notes(sock: socket.socket) -> Iterator[tuple[int, str]]:
    """The id and text of each note, and the word that ends them."""
    number = 0
    for field, value in lines(sock):
        if (field, value) == ("event", "dropped"):
            return
        if field == "id":
            number = int(value)
        elif field == "data" and (told := json.loads(value))["type"] == "note":
            yield number, told["text"]
    raise AssertionError("the stream ended without a word")


def last_id(live: Live) -> int:
    return live.do(live.api.store.last())


def test_text_comes_in_few_pieces_and_before_what_follows(live: Live) -> None:
    run = live.run("before")
    live.do(_settled(live))

    async def written() -> None:
        (then,) = await live.api.store.append(run, [Note("then")])
        for letter in "abc":
            live.api.feed.heard(Delta(run, "k", letter))
        live.api.feed.heard(then)

    with listening(live) as sock:
        live.do(written())
        data = (json.loads(value) for field, value in lines(sock) if field == "data")
        assert [told["text"] for _, told in zip(range(2), data, strict=False)] == ["abc", "then"]


@pytest.mark.parametrize("last", ["x", "-1", "1.5", "9" * 30, ""])
def test_a_last_event_id_that_is_none(live: Live, last: str) -> None:
    answer = live.http.get("/v1/events", headers={"Last-Event-ID": last})
    assert (answer.status_code, answer.json()["error"]["kind"]) == (400, "usage")


def test_an_id_of_the_future_hears_what_comes(live: Live) -> None:
    run = live.run("before")
    heard = threading.Event()

    def write() -> None:
        while not heard.wait(0.05):  # which id is the latest is asked once the stream has begun
            live.note(run, "after")

    with listening(live, last_id(live) + 1_000) as sock:
        writer = threading.Thread(target=write)
        writer.start()
        assert next(notes(sock))[1] == "after"
        heard.set()
        writer.join()


def test_who_comes_back_misses_nothing_and_hears_nothing_twice(live: Live) -> None:
    begin = last_id(live)
    run = live.run("0", "1")
    with listening(live, begin) as sock:
        heard = notes(sock)
        seen = [next(heard) for _ in range(2)]
        live.note(run, "2")
        seen.append(next(heard))
    live.note(run, "3", "4")
    with listening(live, seen[-1][0]) as sock:
        heard = notes(sock)
        live.note(run, "5")
        seen += [next(heard) for _ in range(3)]
    assert [text for _, text in seen] == list("012345")


def test_a_reader_that_does_not_read_is_dropped_and_comes_back(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "BUFFER", 30)
    run, texts = live.run(), [f"{number} " + "x" * 50_000 for number in range(300)]
    with listening(live, buffer=4_096) as sock:
        for begin in range(0, len(texts), 20):
            live.note(run, *texts[begin : begin + 20])
            live.do(_settled(live))
        seen = list(notes(sock))
    assert 0 < len(seen) < len(texts)
    assert live.api.feed.listeners == 0
    with listening(live, seen[-1][0]) as sock:
        heard = notes(sock)
        seen += [next(heard) for _ in range(len(texts) - len(seen))]
    assert [text for _, text in seen] == texts


def test_a_reader_that_leaves_is_forgotten(live: Live) -> None:
    run = live.run()
    with listening(live):
        pass
    live.note(run, "x" * 100_000)
    while live.api.feed.listeners:
        pass


def test_silence_is_broken_by_pings(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "PING", 0.05)
    with listening(live) as sock:
        said = (value for field, value in lines(sock) if field == "")
        assert all(next(said).startswith("ping") for _ in range(2))


async def _settled(live: Live) -> None:
    """Until the feed has passed on all that is committed."""
    while live.api.feed._last < await live.api.store.last():
        pass
