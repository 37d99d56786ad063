"""Fixtures that every test may use."""

import os

import pytest

pytest_plugins = ["tests.scripted.fixtures"]
collect_ignore = [] if os.environ.get("REFINER_SHARED") else ["shared"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
