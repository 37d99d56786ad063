"""model: who can be asked, what it costs, whether it answers."""

import json
from pathlib import Path

import pytest

from refiner.cli.main import main
from tests.scripted.script import in_order, status
from tests.scripted.server import Scripted

pytestmark = pytest.mark.usefixtures("home")


def test_list_names_providers_and_servers(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-0123456789")
    words = ["model", "--json", "--set", "servers.mine.base_url=http://localhost:1/v1"]
    assert main(words) == 0
    text = capsys.readouterr().out
    states = {each["model"].partition(":")[0]: each["state"] for each in json.loads(text)}
    assert states["anthropic"] == "key present"
    assert states["openai"] == "no key: set OPENAI_API_KEY"
    assert states["mine"] == "http://localhost:1/v1"
    assert "0123456789" not in text


def test_prices_are_for_a_million_tokens(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "price", "openai:gpt-4o", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["usd_per_million_tokens"] == {"input": 2.5, "cached_input": 1.25, "output": 10.0}
    assert main(["model", "price", "openai:gpt-4o"]) == 0
    assert capsys.readouterr().out.startswith("openai:gpt-4o: $2.5 in, $1.25 cached, $10 out")


def test_the_embedded_model_is_free_and_unknown_is_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "price", "local", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["usd_per_million_tokens"]["output"] == 0
    assert main(["model", "price", "openai:no-such-model-xyz", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["usd_per_million_tokens"]["input"] is None
    assert main(["model", "price", "gpt-4o"]) == 2
    assert "did you mean openai:gpt-4o" in capsys.readouterr().err


def test_list_names_the_embedded_models_and_pulled_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models = tmp_path / "models"
    (models / "owner").mkdir(parents=True)
    for name in ("qwen2.5-coder-1.5b.gguf", "owner/other.gguf", "owner/.other.gguf.part"):
        (models / name).write_bytes(b"GGUF")
    assert main(["model", "--json", "--set", f"local.models={models}"]) == 0
    states = {each["model"]: each["state"] for each in json.loads(capsys.readouterr().out)}
    local = {name: state for name, state in states.items() if name.startswith("local:")}
    assert local["local:qwen2.5-coder-1.5b"] == local["local:owner/other.gguf"] == "installed"
    assert len(local) == 3


def test_pull_leaves_what_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "qwen2.5-coder-0.5b.gguf"
    file.write_bytes(b"GGUF")
    assert main(["model", "pull", "qwen2.5-coder-0.5b", "--json", "--set", f"local.models={tmp_path}"]) == 0
    assert json.loads(capsys.readouterr().out) == {"path": str(file)}


def test_pull_of_a_name_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "pull", "gpt-4o"]) == 2
    assert capsys.readouterr().err.startswith("refiner: error: ")


def test_ping_without_a_key_says_which(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "ping", "openai:gpt-4o"]) == 2
    assert "openai needs a key: set OPENAI_API_KEY" in capsys.readouterr().err


def test_ping_makes_one_small_call(scripted: Scripted, capsys: pytest.CaptureFixture[str]) -> None:
    scripted.script = "pong\x1b[2J"
    words = ["model", "ping", "openai:tiny", "--base-url", scripted.openai]
    assert main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["model"], found["answer"], found["cost_usd"]) == ("openai:tiny", "pong\x1b[2J", None)
    assert found["seconds"] > 0
    assert main(words) == 0
    assert "openai:tiny answered in" in capsys.readouterr().out
    assert [asked.most for asked in scripted.asked] == [16, 16]


def test_ping_of_a_server_of_the_configuration(scripted: Scripted, capsys: pytest.CaptureFixture[str]) -> None:
    scripted.script = in_order(status(401))
    words = ["model", "ping", "mine:tiny", "--set", f"servers.mine.base_url={scripted.openai}", "--json"]
    assert main(words) == 5
    assert json.loads(capsys.readouterr().out)["error"]["kind"] == "provider_auth"
    assert len(scripted.asked) == 1
