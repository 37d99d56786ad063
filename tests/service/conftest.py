from collections.abc import Iterator

import pytest

from tests.service.live import Live, living


@pytest.fixture(scope="package")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REFINER_HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("REFINER_MODEL", "openai:m")
        patch.chdir(tmp_path_factory.mktemp("empty"))
        with living() as service:
            yield service


@pytest.fixture
def live(service: Live) -> Iterator[Live]:
    """The service, which logs no complaint while a test asks it."""
    service.complaints.clear()
    yield service
    assert service.complaints == []
