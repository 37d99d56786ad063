"""The model that is installed, and a folder for its servers."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from refiner.config.paths import Paths
from refiner.providers.local.weights import Model, installed, locate
from tests.local.processes import server_of


@pytest.fixture(scope="session")
def model() -> Model:
    """The smallest model that is installed."""
    models = Paths.find().models
    return locate(installed(models)[-1].name, models)


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A runtime folder whose servers live as long as the tests, so that each does not load the model again."""
    folder = tmp_path_factory.mktemp("servers")
    yield folder
    for path in folder.rglob("*.sock"):
        os.kill(server_of(path), signal.SIGTERM)
