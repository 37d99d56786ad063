"""Fetching weights from a hub: whole or refused, resumed after a cut, with the token sent to the hub alone."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from refiner.domain.errors import AuthError, NotFoundError, ProviderError, UsageError
from refiner.providers.local import pull as pulling
from refiner.providers.local.known import Weights
from refiner.providers.local.pull import pull
from refiner.providers.local.weights import join, locate
from tests.local.hub import FILE, Hub, serve

NAME = "some-one/A_model.GGUF/deep/er/x-q4.gguf"
PATH = "/some-one/A_model.GGUF/resolve/main/deep/er/x-q4.gguf"


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serve() as hub:
        yield hub


def fetch(hub: Hub, models: Path, name: str = NAME, **environ: str) -> Path:
    return pull(name, models, None, {"HF_ENDPOINT": hub.url, **environ})


def left(models: Path) -> list[str]:
    return sorted(path.name for path in models.rglob("*") if path.is_file() and path.suffix != ".lock")


def test_a_file_comes_whole_with_progress_and_is_a_model_by_its_name(hub: Hub, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    path = pull(NAME, tmp_path, lambda done, total: told.append((done, total)), {"HF_ENDPOINT": f"{hub.url}/"})
    assert path.read_bytes() == FILE
    assert told == sorted(told)
    assert told[-1] == (len(FILE), len(FILE))
    assert locate(NAME, tmp_path).path == path
    assert [asked[0] for asked in hub.asked] == [PATH, "/bytes"]


def test_what_is_there_is_not_fetched_again(hub: Hub, tmp_path: Path) -> None:
    assert fetch(hub, tmp_path) == fetch(hub, tmp_path)
    assert len(hub.asked) == 2


def test_a_revision_is_another_file(hub: Hub, tmp_path: Path) -> None:
    assert fetch(hub, tmp_path, f"{NAME}@refs/pr/1") != fetch(hub, tmp_path)
    assert "/resolve/refs/pr/1/" in hub.asked[0][0]


def test_the_token_goes_to_the_hub_alone(hub: Hub, tmp_path: Path) -> None:
    fetch(hub, tmp_path, HF_TOKEN="hf_secret")
    assert [asked[:2] for asked in hub.asked] == [(PATH, "Bearer hf_secret"), ("/bytes", None)]


def test_a_cut_download_goes_on_where_it_stopped(hub: Hub, tmp_path: Path) -> None:
    hub.cuts = [900_000, 300_000]
    assert fetch(hub, tmp_path).read_bytes() == FILE
    assert [asked[2] for asked in hub.asked if asked[0] == "/bytes"] == [None, "bytes=900000-", "bytes=1200000-"]


def test_a_download_that_was_given_up_is_resumed_by_the_next_call(hub: Hub, tmp_path: Path) -> None:
    hub.cuts = [900_000, 0]
    with pytest.raises(ProviderError, match=r"cannot fetch .*it goes on from there"):
        fetch(hub, tmp_path)
    hub.asked.clear()
    assert fetch(hub, tmp_path).read_bytes() == FILE
    assert hub.asked[-1] == ("/bytes", None, "bytes=900000-")
    assert left(tmp_path) == [".x-q4.gguf.checked", "x-q4.gguf"]


@pytest.mark.parametrize("etag", ['"two"', 'W/"weak"', None])
def test_a_file_that_changed_in_between_is_fetched_anew(hub: Hub, tmp_path: Path, etag: str | None) -> None:
    hub.etag, hub.cuts = etag, [900_000, 0]
    with pytest.raises(ProviderError):
        fetch(hub, tmp_path)
    hub.content = b"GGUF" + FILE[::-1]
    hub.sha256, hub.etag = _sha256(hub.content), '"new"'
    assert fetch(hub, tmp_path).read_bytes() == hub.content


def test_a_part_that_only_had_to_be_checked_is_not_fetched_again(hub: Hub, tmp_path: Path) -> None:
    hub.cuts = [900_000, 0]
    with pytest.raises(ProviderError):
        fetch(hub, tmp_path)
    (part,) = tmp_path.rglob("*.part")
    part.write_bytes(FILE)
    hub.asked.clear()
    assert fetch(hub, tmp_path).read_bytes() == FILE
    assert hub.asked == []


def test_a_part_longer_than_the_file_is_fetched_anew(hub: Hub, tmp_path: Path) -> None:
    hub.cuts = [900_000, 0]
    with pytest.raises(ProviderError):
        fetch(hub, tmp_path)
    (part,) = tmp_path.rglob("*.part")
    part.write_bytes(FILE + b"x")
    assert fetch(hub, tmp_path).read_bytes() == FILE


def test_a_file_with_another_hash_is_refused_and_leaves_nothing(hub: Hub, tmp_path: Path) -> None:
    hub.sha256 = "0" * 64
    with pytest.raises(UsageError, match="SHA-256 differs"):
        fetch(hub, tmp_path)
    assert left(tmp_path) == []


def test_a_file_that_is_no_gguf_is_refused(hub: Hub, tmp_path: Path) -> None:
    hub.content = b"<html>sign in</html>"
    hub.sha256 = _sha256(hub.content)
    with pytest.raises(UsageError, match="no GGUF"):
        fetch(hub, tmp_path)
    assert left(tmp_path) == []


def test_without_a_hash_nothing_is_fetched(hub: Hub, tmp_path: Path) -> None:
    hub.sha256 = None
    with pytest.raises(UsageError, match="does not say the SHA-256"):
        fetch(hub, tmp_path)


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        (401, AuthError, "check the name, or set HF_TOKEN"),
        (403, AuthError, "check the name, or set HF_TOKEN"),
        (404, NotFoundError, "check owner, repository, file and revision"),
        (500, ProviderError, "try again later"),
        (429, ProviderError, "try again later"),
    ],
)
def test_a_refusal_says_what_to_do(hub: Hub, tmp_path: Path, status: int, kind: type[Exception], said: str) -> None:
    hub.status = status
    with pytest.raises(kind, match=said) as caught:
        fetch(hub, tmp_path, HF_TOKEN="hf_secret")
    assert "hf_secret" not in str(caught.value)


def test_a_hub_out_of_reach_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match=r"cannot fetch .* from 127\.0\.0\.1"):
        pull(NAME, tmp_path, None, {"HF_ENDPOINT": "http://127.0.0.1:9"})


@pytest.mark.parametrize("name", ["gpt-9", "owner/repo", "owner/repo/x.bin", "a/b/../../../x.gguf", "a/b/x.gguf@"])
def test_a_name_that_is_no_file_of_a_hub_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"give owner/repository/file\.gguf.*qwen2\.5-coder-0\.5b"):
        pull(name, tmp_path)


def test_two_at_once_do_not_write_one_file(hub: Hub, tmp_path: Path) -> None:
    folder = tmp_path / "some-one/A_model.GGUF/deep/er"
    folder.mkdir(parents=True)
    with FileLock(folder / ".x-q4.gguf.lock"), pytest.raises(UsageError, match="another process"):
        fetch(hub, tmp_path)


def test_a_known_model_must_be_the_known_file(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = Weights("tiny", len(FILE), _sha256(FILE), ("none",), "tiny", "some/where/t.gguf", "MIT")
    wrong = Weights("other", len(FILE), "f" * 64, ("none",), "other", "some/where/o.gguf", "MIT")
    monkeypatch.setattr(pulling, "KNOWN", (right, wrong))
    path = fetch(hub, tmp_path, "tiny")
    assert join(right, tmp_path) == path
    with pytest.raises(UsageError, match="SHA-256 differs"):
        fetch(hub, tmp_path, "other")


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
