"""Sets of a hub: which of its files, from its cache where it is away, and what is said where it is not had."""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from huggingface_hub import constants
from huggingface_hub.utils import _http

from refiner.domain.errors import NotFoundError, ProviderError, RefinerError, UsageError
from refiner.evals.datasets.load import items
from tests.evals.hub import REPO, Hub, serving


def rows(*answers: int) -> bytes:
    return "\n".join(json.dumps({"question": f"What is {n} + 0?", "answer": f"#### {n}"}) for n in answers).encode()


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with serving() as hub:
        hub.files = {"README.md": b"# sums", "main/train.jsonl": rows(1), "main/test-0.jsonl": rows(2, 3)}
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
        monkeypatch.setattr(_http, "time", SimpleNamespace(time=time.time, sleep=lambda _seconds: None))
        yield hub


def answers(source: str) -> list[str | None]:
    return [item.answer for item in items(source)]


def test_files_are_named_by_a_pattern_and_kept(hub: Hub) -> None:
    hub.files["main/test-1.jsonl"] = rows(4)
    assert answers(f"gsm8k:hub:{REPO}/main/test-1.jsonl") == ["4"]
    assert answers(f"hub:{REPO}/main/test-*@main") == ["#### 2", "#### 3", "#### 4"]
    assert answers(f"hub:{REPO}/*") == ["#### 2", "#### 3", "#### 4", "#### 1"]
    hub.status = 503
    assert answers(f"hub:{REPO}/main/test-*") == ["#### 2", "#### 3", "#### 4"]


def test_the_only_file_need_not_be_named(hub: Hub) -> None:
    with pytest.raises(UsageError, match=r"2 files of data: name one.* main/train\.jsonl, main/test-0\.jsonl$"):
        answers(f"hub:{REPO}")
    del hub.files["main/train.jsonl"]
    assert answers(f"hub:{REPO}") == ["#### 2", "#### 3"]
    hub.files = {"README.md": b"# sums"}
    with pytest.raises(UsageError, match="has no file of data"):
        answers(f"hub:{REPO}")


@pytest.mark.parametrize(
    ("source", "status", "error", "words"),
    [
        ("hub:sums", 200, UsageError, "write hub:OWNER/NAME"),
        ("hub:ada/other", 200, NotFoundError, "has no hub:ada/other, or none without HF_TOKEN"),
        (f"hub:{REPO}/test.jsonl", 200, NotFoundError, 'no file of data is called "test.jsonl"'),
        (f"hub:{REPO}/main/*", 500, ProviderError, r"http://127\S* answers 500 for hub"),
        (f"hub:{REPO}", 500, ProviderError, r"http://127\S* answers 500 for hub"),
        (f"hub:{REPO}/main/*", 0, ProviderError, r"is not here, and http://127\S* cannot be reached"),
        (f"hub:{REPO}", 0, ProviderError, "cannot be fetched from http://127"),
    ],
)
def test_what_is_not_had_is_said_in_a_line(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, source: str, status: int, error: type[RefinerError], words: str
) -> None:
    hub.status = status or 200
    if not status:
        monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(error, match=words) as raised:
        answers(source)
    assert "\n" not in str(raised.value)


def test_without_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(UsageError, match=r"pip install 'refiner\[hub\]'"):
        answers("hub:ada/sums")
