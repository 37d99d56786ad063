"""The same tests for every database: SQLite, and PostgreSQL where its programs are installed."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from refiner.store.sql import SqlStore
from tests.store.postgresql import Cluster, binaries, cluster

_MISSING = binaries() is None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "backend" in metafunc.fixturenames:
        metafunc.parametrize("backend", ["sqlite"] if _MISSING else ["sqlite", "postgresql"], scope="session")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _MISSING:
        terminalreporter.write_line("store: not tested with PostgreSQL, whose initdb is not installed")


@pytest.fixture(scope="session")
def server() -> Iterator[Cluster]:
    if _MISSING:
        pytest.skip("PostgreSQL is not installed")
    with cluster() as running:
        yield running


@pytest.fixture
def url(backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """The address of a database that does not exist yet, or is empty."""
    if backend == "sqlite":
        return f"sqlite:///{tmp_path}/data/refiner.db"
    server: Cluster = request.getfixturevalue("server")
    return server.new_database()


@pytest.fixture
async def store(url: str, tmp_path: Path) -> AsyncIterator[SqlStore]:
    store = SqlStore.open(url, state=tmp_path / "state", timeout=30)
    yield store
    await store.aclose()
