"""Promises 4 and 5: keys are seen by nobody but their provider, nothing else is reached, and nothing else written."""

import json
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from tests.end_to_end.model import CALLS, QUESTION, mending
from tests.end_to_end.program import KEYS, Done, Program
from tests.scripted import Fault, Scripted

MODELS = pytest.mark.parametrize("model", ["openai:scripted", "anthropic:scripted"])


def written(folder: Path) -> bytes:
    """All that lies below a folder: names, files, and every value of every table of a database."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    rows = []
    for file in files:
        if file.suffix == ".db":
            with closing(sqlite3.connect(file)) as database:
                rows += [line.encode() for line in database.iterdump()]
    return b"\n".join([*(str(file).encode() + file.read_bytes() for file in files), *rows])


def everything(refiner: Program, *done: Done) -> str:
    """All that a user can get to see of the latest run, and all that is on the disk."""
    seen = [*done, refiner("run", "log", "-v", "@"), refiner("run", "export", "@")]
    return "".join(each.out + each.err for each in seen) + written(refiner.home).decode(errors="replace")


@pytest.mark.parametrize("family", KEYS)
@pytest.mark.parametrize(
    ("number", "message"),
    [
        (401, "Incorrect API key provided: {key}. You can find your key in your account."),
        (401, "Incorrect API key provided: {start}****{end}."),
        (403, "Key {start} may not do this"),
        (400, "Bad header: Authorization: Bearer {key}"),
        (500, "Traceback: key={key}&x=1"),
        (429, "Rate limit of {key}"),
        (200, "An error in the middle, with {key}"),
    ],
)
def test_a_key_that_the_provider_gives_away(
    number: int, message: str, family: str, refiner: Program, scripted: Scripted
) -> None:
    key = KEYS[family]
    said = message.format(key=key, start=key[:15], end=key[-6:])
    scripted.script = lambda _: Fault("error" if number == 200 else "status", number, {"message": said})
    done = refiner("solve", QUESTION, "-m", f"{family}:scripted", "-v", "--jsonl", "--set", "retry.most_seconds=0.1")
    assert (done.code, {asked.key for asked in scripted.asked}) == (5, {key})
    seen = everything(refiner, done)
    assert "SECRET" not in seen
    assert key[-6:] not in seen


@pytest.mark.parametrize("words", [("config", "show", "--sources"), ("doctor", "--json"), ("model",), ("run", "list")])
def test_no_command_shows_a_key(words: tuple[str, ...], refiner: Program) -> None:
    done = refiner.under(REFINER_PROVIDERS__OPENAI__API_KEY="SECRET")(*words)
    assert (done.code, "SECRET" in done.out + done.err) == (0, False)


def test_a_key_of_the_settings(refiner: Program, scripted: Scripted) -> None:
    scripted.script = mending
    key = "sk-other-SECRET-9876543210"
    refiner = refiner.under(REFINER_PROVIDERS__OPENAI__API_KEY=key, OPENAI_API_KEY=None)
    done = refiner("solve", QUESTION, "-v")
    assert (done.code, {asked.key for asked in scripted.asked}) == (0, {key})
    assert "SECRET" not in everything(refiner, done)


def test_a_password_of_the_database(refiner: Program) -> None:
    done = refiner.under(REFINER_DB="postgresql://me:SECRET@127.0.0.1:1/none")("solve", QUESTION)
    assert done.code == 8
    assert "SECRET" not in done.error


@MODELS
@pytest.mark.parametrize("strategy", CALLS)
def test_nothing_is_reached_but_the_provider(
    strategy: str, model: str, refiner: Program, scripted: Scripted, tmp_path: Path
) -> None:
    scripted.script = mending
    reached = tmp_path / "reached"
    assert refiner("solve", QUESTION, "-m", model, "-s", strategy, connections=reached).code == 0
    host, _, port = scripted.url.removeprefix("http://").partition(":")
    lines = [json.loads(line) for line in reached.read_text().splitlines()]
    assert lines
    assert {(line[0][0], line[0][1]) if isinstance(line[0], list) else tuple(line[:2]) for line in lines} == {
        (host, int(port))
    }


@pytest.mark.parametrize(
    "words", [("doctor",), ("solve", "--help"), ("model",), ("config", "show"), ("run",), ("policy",)]
)
def test_what_asks_no_model_reaches_nobody(
    words: tuple[str, ...], refiner: Program, scripted: Scripted, tmp_path: Path
) -> None:
    reached = tmp_path / "reached"
    refiner(*words, connections=reached)
    assert reached.read_text() == ""
    assert scripted.asked == []


def test_nothing_is_written_beside_the_home(refiner: Program, scripted: Scripted, tmp_path: Path) -> None:
    scripted.script = mending
    before = {*tmp_path.rglob("*")}
    for words in (("solve", QUESTION), ("run", "list"), ("doctor",), ("model",), ("db", "check")):
        refiner(*words)
    assert {path for path in tmp_path.rglob("*") if not path.is_relative_to(refiner.home)} == before


def test_what_is_written_is_for_its_owner_alone(refiner: Program, scripted: Scripted) -> None:
    scripted.script = mending
    assert refiner("solve", QUESTION).code == 0
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (refiner.home, *refiner.home.rglob("*"))}
    assert modes == {0o700, 0o600}


def test_without_a_home_of_its_own_the_platforms_folders_are_used(refiner: Program, scripted: Scripted) -> None:
    scripted.script = mending
    assert refiner.under(REFINER_HOME=None)("solve", QUESTION).code == 0
    user = Path(refiner.environ["HOME"])
    assert [path.name for path in user.rglob("*.db")] == ["refiner.db"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in user.rglob("refiner")} == {0o700}
