"""Fixtures that every test may use."""

import os

import pytest
from hypothesis import settings

settings.register_profile("busy", deadline=None, max_examples=50)  # a machine that is busy is no fault
settings.load_profile("busy")
pytest_plugins = ["tests.scripted.fixtures"]
collect_ignore = [] if os.environ.get("REFINER_SHARED") else ["shared"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
