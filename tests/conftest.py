"""Fixtures that every test may use."""

import pytest

pytest_plugins = ["tests.scripted.fixtures"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
