"""Where files go, and that nothing is made before it is needed."""

import stat
from pathlib import Path

import pytest

from refiner.config.paths import Paths, made
from refiner.config.secrets import masked, without_keys
from refiner.domain.errors import StoreError


@pytest.fixture(autouse=True)
def _platform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("CONFIG", "DATA", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / "xdg" / name.lower()))


def test_home_moves_every_path_but_the_shared_weights(tmp_path: Path) -> None:
    home = tmp_path / "home"
    paths = Paths.find({"REFINER_HOME": str(home)})
    for folder in (paths.config, paths.data, paths.state, paths.runtime, paths.cache, paths.log):
        assert folder.is_relative_to(home)
    assert paths.models == tmp_path / "xdg" / "cache" / "refiner" / "models"
    assert paths.database_file == home / "data" / "refiner.db"
    assert not home.exists()


def test_without_home_the_platform_decides(tmp_path: Path) -> None:
    paths = Paths.find({"XDG_RUNTIME_DIR": "/run/user/7"})
    assert paths.config == tmp_path / "xdg" / "config" / "refiner"
    assert paths.runtime == Path("/run/user/7/refiner")
    assert Paths.find({}).runtime.is_relative_to(paths.state)
    assert Paths.find({"REFINER_HOME": ""}) == Paths.find({})


def test_weights_follow_home_where_the_cache_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert Paths.find({"REFINER_HOME": str(tmp_path)}).models == tmp_path / "cache" / "models"


def test_the_database_alone_can_move(tmp_path: Path) -> None:
    environ = {"REFINER_HOME": str(tmp_path), "REFINER_DB": "postgresql://host/runs"}
    paths = Paths.find(environ)
    assert (paths.database, paths.database_file) == ("postgresql://host/runs", None)
    assert paths.data == tmp_path / "data"
    assert paths.moved(database="sqlite:////x/y.db").database_file == Path("/x/y.db")
    assert paths.moved().models == paths.models


def test_made_folders_are_the_users_alone(tmp_path: Path) -> None:
    folder = made(tmp_path / "a" / "b")
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, folder.parent)] == [0o700, 0o700]
    assert made(folder) == folder


def test_a_folder_that_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"cannot make .*file/below.*set REFINER_HOME to a folder"):
        made(tmp_path / "file" / "below")
    with pytest.raises(StoreError, match=r"cannot write to .*file; set REFINER_HOME"):
        made(tmp_path / "file")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://me:s3cret@host/db", "postgresql://me:***@host/db"),
        ("postgresql+psycopg://host/db?password=s3cret&x=1", "postgresql+psycopg://host/db?password=***&x=1"),
        ("see https://a:b@c and http://d:80/e", "see https://a:***@c and http://d:80/e"),
        ("sqlite:////home/me/refiner.db", "sqlite:////home/me/refiner.db"),
    ],
)
def test_passwords_of_urls_are_masked(text: str, shown: str) -> None:
    assert masked(text) == shown


def test_keys_of_the_environment_stay_out_of_logs() -> None:
    environ = {"OPENAI_API_KEY": "sk-0123456789", "EDITOR": "very-long-editor"}
    text = "401 for sk-0123456789 in very-long-editor at http://me:secret@host"
    assert without_keys(text, environ) == "401 for *** in very-long-editor at http://me:***@host"
