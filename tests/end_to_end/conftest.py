"""The program, and the folder, environment and provider around it."""

import socket
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from refiner.client.client import Client
from tests.end_to_end.program import Process, Program, seated, warm
from tests.scripted import Scripted
from tests.store.conftest import server

__all__ = ["server"]

Start = Callable[..., Process]


@pytest.fixture(scope="session")
def requests() -> Iterator[socket.socket]:
    with warm() as requests:
        yield requests


@pytest.fixture
def refiner(requests: socket.socket, tmp_path: Path, scripted: Scripted) -> Iterator[Program]:
    """The program in an empty folder, with an empty home, a key, and the scripted server behind every provider."""
    with seated(requests, tmp_path, scripted) as program:
        yield program


@pytest.fixture
def client(refiner: Program) -> Client:
    return refiner.client


@pytest.fixture
def start(refiner: Program) -> Start:
    """Begins a service, which answers by then; at PostgreSQL with the queue of several hosts."""
    database = refiner.environ.get("REFINER_DB")
    return partial(refiner.serve, *(["--queue", database] if database else []))
