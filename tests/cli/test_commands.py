"""policy, config, completion."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from refiner.cli.main import cli, main
from refiner.config.template import template
from tests.cli.conftest import PROGRAM, Refiner

pytestmark = pytest.mark.usefixtures("home")


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, words, catch_exceptions=False)


def test_a_bare_noun_is_its_list() -> None:
    assert run("policy").output == run("policy", "list").output
    assert run("policy", "--json").output == run("policy", "list", "--json").output
    assert run("config").output == run("config", "show").output


def test_policies_of_the_user_are_listed_and_shown() -> None:
    Path("refiner.toml").write_text('[policies]\nmine = "thrifty & calls:3"\n')
    listed = json.loads(run("policy", "--json").output)
    assert {"name": "mine", "expression": "thrifty & calls:3"} in listed
    explained = json.loads(run("policy", "show", "mine", "--json").output)
    assert explained["expression"].endswith("& calls:3")
    assert any(rule.startswith("patience:1 stops when") for rule in explained["rules"])


def test_an_expression_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    lines = run("policy", "check", "agree:2|cost:$0.25").output.splitlines()
    assert lines[0] == "agree:2 | cost:0.25"
    assert len(lines) == 3
    assert main(["policy", "check", "agree:2 | coast:1"]) == 2
    assert 'did you mean "cost"?' in capsys.readouterr().err


def test_show_says_where_each_value_is_from_and_hides_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFINER_PROVIDERS__OPENAI__API_KEY", "sk-0123456789")
    monkeypatch.setenv("REFINER_DB", "postgresql://me:pass-word@host/db")
    Path("refiner.toml").write_text("\nchains = 4\n")
    said = run("config", "show", "--sources", "--set", "vote.most=9").output
    assert "sk-0123456789" not in said
    assert "pass-word" not in said
    rows = {line.split()[0]: line.split(maxsplit=2)[1:] for line in said.splitlines()}
    assert rows["chains"] == ["4", f"{Path.cwd()}/refiner.toml:2"]
    assert rows["vote.most"] == ["9", "--set vote.most"]
    assert rows["providers.openai.api_key"] == ['"***"', "REFINER_PROVIDERS__OPENAI__API_KEY"]
    assert rows["target"] == ["unset", "default"]
    shown = json.loads(run("config", "show", "--json").output)
    assert shown["settings"]["providers.openai.api_key"] == "***"
    assert shown["settings"]["target"] is None


def test_path_says_which_files_are_there(home: Path) -> None:
    Path("refiner.toml").touch()
    said = json.loads(run("config", "path", "--json").output)
    assert said == {
        "user": {"path": str(home / "config" / "config.toml"), "exists": False},
        "project": {"path": str(Path.cwd() / "refiner.toml"), "exists": True},
    }
    assert "(not there)" in run("config", "path").output


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('policy = "none"\n', ':1: there is no policy "none"'),
        ('until = "agree:2 |"\n', ":1: until: stop rule"),
        ('[policies]\nmine = "mine"\n', ":2: policies.mine: preset mine refers to itself"),
        ("modle = 1\n", ":1: unknown setting modle; did you mean model?"),
    ],
)
def test_check_names_the_line(text: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("refiner.toml").write_text(text)
    assert main(["config", "check"]) == 2
    assert f"refiner.toml{message}" in capsys.readouterr().err


def test_check_accepts_the_example() -> None:
    assert run("config", "init", "-q").output == ""
    assert run("config", "check").output == f"ok: {Path.cwd()}/refiner.toml\n"
    assert Path("refiner.toml").read_text() == template() == run("config", "init", "-").output


def test_init_never_overwrites(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "init", "--user", "--json"]) == 0
    file = home / "config" / "config.toml"
    assert json.loads(capsys.readouterr().out) == {"path": str(file)}
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    file.write_text("seed = 5\n")
    assert main(["config", "init", "--user"]) == 2
    assert "is there already" in capsys.readouterr().err
    assert file.read_text() == "seed = 5\n"


def test_reading_settings_writes_nothing(refiner: Refiner, home: Path) -> None:
    assert refiner("config", "show").returncode == 0
    assert refiner("policy").returncode == 0
    assert not home.exists()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(refiner: Refiner, shell: str) -> None:
    done = refiner("completion", shell)
    assert done.returncode == 0
    assert "_REFINER_COMPLETE" in done.stdout


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("refiner ", {"solve", "run", "config", "doctor", "eval"}),
        ("refiner co", {"config", "completion"}),
        ("refiner policy ", {"list", "show", "check"}),
        ("refiner config show --so", {"--sources"}),
        ("refiner replay ", set()),
    ],
)
def test_the_shell_completes(words: str, expected: set[str]) -> None:
    environ = {"_REFINER_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    done = subprocess.run(PROGRAM, env={**os.environ, **environ}, capture_output=True, text=True, check=False)
    offered = {line.partition(",")[2] for line in done.stdout.splitlines()}
    assert expected <= offered
    assert done.stderr == ""
