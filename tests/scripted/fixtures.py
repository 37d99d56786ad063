"""The `scripted` fixture: one server for the session, fresh for each test."""

from collections.abc import Iterator

import pytest

from tests.scripted.server import Scripted, serve


@pytest.fixture(scope="session")
def scripted_server() -> Iterator[Scripted]:
    with serve() as server:
        yield server


@pytest.fixture
def scripted(scripted_server: Scripted) -> Scripted:
    """A provider over real HTTP that answers "ok" until its `script` is set."""
    scripted_server.reset()
    return scripted_server
