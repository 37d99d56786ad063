"""The program, and the folder, environment and provider around it."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.program import Program, seated, warm
from tests.scripted import Scripted
from tests.store.conftest import server

__all__ = ["server"]


@pytest.fixture(scope="session")
def requests() -> Iterator[socket.socket]:
    with warm() as requests:
        yield requests


@pytest.fixture
def refiner(requests: socket.socket, tmp_path: Path, scripted: Scripted) -> Iterator[Program]:
    """The program in an empty folder, with an empty home, a key, and the scripted server behind every provider."""
    with seated(requests, tmp_path, scripted) as program:
        yield program
