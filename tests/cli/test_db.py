"""db and doctor: looking makes nothing, and what is wrong has an exit code."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from refiner.cli.main import main

pytestmark = pytest.mark.usefixtures("home")


def said(capsys: pytest.CaptureFixture[str]) -> object:
    return json.loads(capsys.readouterr().out)


def test_path_follows_the_settings(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["db", "--json"]) == 0
    assert said(capsys) == {"path": str(home / "data" / "refiner.db")}
    monkeypatch.setenv("REFINER_DB", "postgresql://me:pass-word@host/runs")
    assert main(["db", "path"]) == 0
    where = capsys.readouterr().out
    assert "host/runs" in where
    assert "pass-word" not in where


@pytest.mark.parametrize("words", [["db", "check"], ["db", "prune", "--keep-days", "1"], ["db", "backup", "copy.db"]])
def test_there_is_no_database_before_the_first_run(
    words: list[str], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["kind"] == "not_found"
    assert "there is no database at" in error["message"]
    assert not list(home.glob("data/*"))


def test_upgrade_check_prune_and_backup(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["db", "upgrade", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == {"revision"}
    assert main(["db", "check", "--json"]) == 0
    assert said(capsys) == {"ok": True, "problems": []}
    assert main(["db", "prune", "--json"]) == 2
    assert "--keep-days" in capsys.readouterr().err
    assert main(["db", "prune", "--keep-bytes", "0", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["runs"] == 0
    target = tmp_path / "copy.db"
    assert main(["db", "backup", str(target), "--json"]) == 0
    assert said(capsys) == {"path": str(target)}
    with closing(sqlite3.connect(target)) as copy:
        assert copy.execute("SELECT count(*) FROM runs").fetchone() == (0,)


def test_a_damaged_database_is_exit_8(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "data").mkdir(parents=True)
    (home / "data" / "refiner.db").write_bytes(b"this is no database, and long enough to be read as one" * 100)
    assert main(["db", "check", "--json"]) == 8
    assert json.loads(capsys.readouterr().out)["error"]["kind"] == "store"
    assert main(["doctor", "--json"]) == 8
    report = json.loads(capsys.readouterr().out)
    assert report["database"]["state"] == "problem"
    assert [problem["kind"] for problem in report["problems"]] == ["store"]


def test_damage_inside_is_listed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["db", "upgrade", "-q"]) == 0
    with closing(sqlite3.connect(home / "data" / "refiner.db")) as database, database:
        database.execute("INSERT INTO texts (digest, encoding, body) VALUES ('0', 'plain', X'6368616e676564')")
    capsys.readouterr()
    assert main(["db", "check", "--json"]) == 8
    assert said(capsys) == {"ok": False, "problems": ["text 0: its bytes have changed"]}
    assert main(["doctor"]) == 8
    assert "is damaged in 1 places: see refiner db check" in capsys.readouterr().out


def test_doctor_names_a_home_that_cannot_be_written(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home.write_text("in the way")
    assert main(["doctor"]) == 8
    assert f"problem: cannot write {home}/data/refiner.db; set REFINER_HOME" in capsys.readouterr().out


def test_doctor_makes_nothing_and_shows_no_key(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789")
    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    assert "openai: present" in text
    assert "anthropic: absent" in text
    assert "sk-0123456789" not in text
    assert main(["doctor", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["keys"] == {"openai": True, "anthropic": False}
    assert report["paths"]["config"] == str(home / "config")
    assert report["versions"]["refiner"] == "0.1.0"
    layer = report["sandbox"].pop("layer")
    assert layer in ("bubblewrap", "landlock")
    assert set(report["sandbox"].values()) == {"held"}
    assert report["problems"] == []
    assert not home.exists()


def test_doctor_looks_on_past_broken_settings(capsys: pytest.CaptureFixture[str]) -> None:
    Path("refiner.toml").write_text("modle = 1\n")
    assert main(["doctor", "--json"]) == 2
    report = json.loads(capsys.readouterr().out)
    assert "did you mean model?" in report["problems"][0]["message"]
    assert report["database"]["state"].startswith("none yet")
