"""The frame: help, errors, exit codes, and what is imported for them."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from refiner.cli import main as frame
from refiner.cli.main import PARTS, cli, main
from refiner.domain.errors import AuthError, RefinerError, StoreError
from tests.cli.conftest import Refiner

SLOW = ("openai", "anthropic", "sqlalchemy", "sqlmodel", "alembic", "textual", "pydantic", "httpx2", "anyio", "asyncio")


@pytest.mark.parametrize("code", ["import refiner.cli.main", "import refiner"])
def test_imports_are_light(code: str) -> None:
    look = f"{code}; import sys; print([name for name in {SLOW!r} if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", look], text=True) == "[]\n"


@pytest.mark.parametrize("words", [("--help",), ("-h",), ()])
def test_help_names_every_command(refiner: Refiner, words: tuple[str, ...]) -> None:
    done = refiner(*words)
    assert (done.returncode, done.stderr) == (0, "")
    assert all(f"  {name} " in done.stdout for name in PARTS)


def test_version(refiner: Refiner) -> None:
    done = refiner("--version")
    assert (done.returncode, done.stdout) == (0, "refiner 0.1.0\n")


@pytest.mark.parametrize("name", ["policy", "model", "config", "db", "run", "doctor", "completion"])
def test_the_help_of_each_command(refiner: Refiner, name: str) -> None:
    done = refiner(name, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"Usage: refiner {name}")
    assert "..." not in done.stdout.replace("[ARGS]...", "")  # no line is broken off


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["solv", "2+2"], "no such command 'solv'. Did you mean 'solve'? (see refiner --help)"),
        (["What is 2+2?"], "no such command 'What is 2+2?' (see refiner --help)"),
        (["--verison"], "no such option '--verison'. Did you mean '--version'? (see refiner --help)"),
        (["policy", "chek"], "no such command 'chek'. Did you mean 'check'? (see refiner policy --help)"),
        (
            ["policy", "list", "--quite"],
            "no such option '--quite'. Did you mean '--quiet'? (see refiner policy list --help)",
        ),
        (["policy", "show"], "missing argument 'NAME' (see refiner policy show --help)"),
        (["policy", "show", "no\x1b[2Jne"], 'there is no policy "none": there are quick, careful, thrifty'),
    ],
)
@pytest.mark.usefixtures("home")
def test_usage_errors_are_one_line(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", f"refiner: error: {message}\n")


@pytest.mark.parametrize("words", [["--json", "solv"], ["policy", "show", "none", "--json"], ["replay", "--json"]])
@pytest.mark.usefixtures("home")
def test_errors_as_json(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["kind"] in ("usage", "not_found")
    assert error["run"] is None
    assert error["message"]


@pytest.mark.usefixtures("home")
def test_errors_as_the_last_of_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["solve", "Why?", "--jsonl", "-m", "nobody"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert (told["type"], told["error"]["kind"]) == ("result", "usage")


@pytest.mark.usefixtures("home")
def test_json_as_an_argument_is_not_the_flag(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "show", "--", "--json"]) == 2
    assert capsys.readouterr().out == ""


@dataclass
class Failure:
    raised: BaseException


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Failure:
    """Adds the command `fail`, which raises what is put here."""
    failure = Failure(RefinerError())

    @click.command()
    @click.option("--json", is_flag=True)
    def fail(json: bool) -> None:  # noqa: ARG001
        raise failure.raised

    real = cli.get_command
    monkeypatch.setattr(cli, "get_command", lambda ctx, name: fail if name == "fail" else real(ctx, name))
    return failure


def test_an_error_of_ours_has_its_code_kind_and_run(failing: Failure, capsys: pytest.CaptureFixture[str]) -> None:
    failing.raised = error = AuthError("openai refused the key:\n\x1b[31mset OPENAI_API_KEY")
    error.run = "r-7f3k"
    assert main(["fail", "--json"]) == 5
    said = capsys.readouterr()
    message = "openai refused the key: set OPENAI_API_KEY"
    assert said.err == f"refiner: error: {message}\n"
    assert json.loads(said.out) == {"error": {"kind": "provider_auth", "message": message, "run": "r-7f3k"}}
    failing.raised = StoreError("locked")
    assert main(["fail"]) == 8


def test_a_bug_is_logged_without_keys(
    failing: Failure, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789")
    failing.raised = ValueError("bad header sk-0123456789")
    assert main(["fail"]) == 1
    log = home / "state" / "refiner.log"
    said = capsys.readouterr().err
    assert said == f"refiner: error: this is a bug: ValueError: bad header ***; the traceback is in {log}\n"
    text = log.read_text()
    assert "Traceback (most recent call last)" in text
    assert "sk-0123456789" not in text
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_bug_where_no_log_can_be_written(failing: Failure, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home.touch()
    failing.raised = ZeroDivisionError("division by zero")
    assert main(["fail"]) == 1
    assert "ZeroDivisionError: division by zero; no traceback could be logged" in capsys.readouterr().err


def test_an_interrupt(failing: Failure) -> None:
    failing.raised = KeyboardInterrupt()
    assert main(["fail"]) == 130


def test_a_command_decides_its_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame.cli, "get_command", lambda *_: click.Command("unsolved", callback=lambda: 3))
    assert main(["unsolved"]) == 3


def test_an_unwritable_home_is_one_line(refiner: Refiner, home: Path) -> None:
    home.touch()
    done = refiner("config", "init", "--user")
    assert done.returncode == 8
    assert done.stderr.startswith(f"refiner: error: cannot make {home}/config: Not a directory; set REFINER_HOME")
    assert done.stderr.count("\n") == 1


def test_standard_error_may_be_closed(home: Path) -> None:  # noqa: ARG001
    shell = f'"{sys.executable}" -c "from refiner.cli.main import main; raise SystemExit(main())" solv 2>&-'
    assert subprocess.run(shell, shell=True, check=False).returncode == 2


@pytest.mark.parametrize("words", [("policy",), ("policy", "--json")])
def test_a_full_disk_behind_standard_output_is_one_line(refiner: Refiner, words: tuple[str, ...]) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    done = refiner(*words, stdout=full)
    os.close(full)
    message = "refiner: error: cannot write to standard output: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, message)
