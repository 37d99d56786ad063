"""Stored runs, as `refiner run` shows them, goes on with them and removes them."""

import pytest

from tests.end_to_end.model import DRAFT, MENDED, QUESTION, mending
from tests.end_to_end.program import Program
from tests.scripted import Scripted

NAMED = [
    ("show",),
    ("answer",),
    ("diff",),
    ("log",),
    ("resume",),
    ("stop",),
    ("cancel",),
    ("pause",),
    ("watch",),
    ("export",),
    ("rm", "-y"),
]


@pytest.fixture
def run(refiner: Program, scripted: Scripted) -> str:
    """The id of a run that is done."""
    scripted.script = mending
    name: str = refiner("solve", QUESTION, "--json").json["id"]
    return name


def test_list(run: str, refiner: Program) -> None:
    rows = refiner("run", "list", "--json").json
    assert [(row["id"], row["status"], row["calls"], row["stop"]) for row in rows] == [(run, "done", 4, "converged")]
    assert rows[0]["task"] == {"kind": "text", "title": QUESTION}
    done = refiner("run")
    assert run in done.out
    assert QUESTION in done.out


def test_list_is_newest_first_and_limited(run: str, refiner: Program) -> None:
    names = [run, *(refiner("solve", QUESTION, "-n", "0", "--json").json["id"] for _ in range(2))]
    assert [row["id"] for row in refiner("run", "list", "--json").json] == names[::-1]
    assert [row["id"] for row in refiner("run", "list", "--json", "--limit", "1").json] == names[-1:]
    assert refiner("run", "show", "@", "--json").json["id"] == names[-1]


@pytest.mark.parametrize("form", ["{}", "@", "{:.3}", "{:.5}"])
def test_a_run_has_many_names(form: str, run: str, refiner: Program) -> None:
    done = refiner("run", "answer", form.format(run))
    assert (done.code, done.out, done.err) == (0, MENDED + "\n", "")


def test_answer_as_json(run: str, refiner: Program) -> None:
    assert refiner("run", "answer", "@", "--json").json == {"id": run, "answer": MENDED, "parsed": MENDED}


def test_show(run: str, refiner: Program) -> None:
    done = refiner("run", "show", run)
    for words in (f"run       {run}, done", "strategy  refine", "stopped   converged", "0/0", "0/1", "4 calls"):
        assert words in done.out


@pytest.mark.parametrize("versions", [(), ("0..1",), ("0/0..0/1",)])
def test_diff(versions: tuple[str, ...], run: str, refiner: Program) -> None:
    done = refiner("run", "diff", run, *versions)
    assert done.out.splitlines()[0].startswith("---")
    assert "-The sea is dry and the sand is wet." in done.out
    assert "+The sea is wide and the sand is wet." in done.out


@pytest.mark.parametrize("versions", ["0..9", "nonsense", "1", "..", "0/0..7/0"])
def test_versions_that_are_not_there(versions: str, run: str, refiner: Program) -> None:
    done = refiner("run", "diff", run, versions)
    assert (done.code, done.out) == (2, "")
    assert "names no two versions" in done.error


def test_versions_of_a_run_without_an_update(refiner: Program) -> None:
    refiner("solve", QUESTION, "-n", "0")
    assert "one version alone, 0/0" in refiner("run", "diff", "@", "0..1").error


def test_log(run: str, refiner: Program) -> None:
    rows = refiner("run", "log", run, "--json").json
    assert [row["role"] for row in rows] == ["answer", "critic", "updater", "critic"]
    assert rows[0]["reply"] == DRAFT
    assert all(row["usage"]["input_tokens"] and row["error"] is None for row in rows)
    assert QUESTION in refiner("run", "log", run, "-v").out
    assert QUESTION not in refiner("run", "log", run).out


def test_export_of_several(run: str, refiner: Program) -> None:
    other = refiner("solve", QUESTION, "-n", "0", "--json").json["id"]
    events = refiner("run", "export", run, other).events
    assert list(dict.fromkeys(event["run"] for event in events)) == [run, other]
    assert {"run-started", "call-finished", "candidate", "decision", "run-finished"} <= {
        event["type"] for event in events
    }


@pytest.mark.parametrize("flag", [("--max-cost", "0"), ("-n", "0"), ("-i",), ("--patch",), ("--dry-run",)])
def test_resume_leaves_no_flag_out_in_silence(flag: tuple[str, ...], run: str, refiner: Program) -> None:
    done = refiner("solve", "--resume", run, *flag)
    assert (done.code, done.out) == (2, "")
    assert done.error.startswith("--resume takes no --")


def test_an_answer_that_is_no_program_goes_to_no_file(run: str, refiner: Program) -> None:
    assert refiner("solve", "--resume", run, "-o", "new.py").error.startswith("-o is for code")


def test_resume_of_a_run_that_is_done_shows_it(run: str, refiner: Program, scripted: Scripted) -> None:
    before = len(scripted.asked)
    for words in (("run", "resume", run), ("solve", "--resume", run)):
        done = refiner(*words)
        assert (done.code, done.out) == (0, MENDED + "\n")
        assert "there is nothing to resume" in done.err
    assert len(scripted.asked) == before


def test_rm(run: str, refiner: Program) -> None:
    other = refiner("solve", QUESTION, "-n", "0", "--json").json["id"]
    assert refiner("run", "rm", run).code == 0
    assert refiner("run", "show", run).code == 2
    assert refiner("run", "answer", "@").out == DRAFT + "\n"
    assert refiner("run", "rm", other, other, "--json").json == {"deleted": [other]}
    assert refiner("run", "list", "--json").json == []


def test_rm_of_several_is_all_or_nothing(run: str, refiner: Program) -> None:
    assert refiner("run", "rm", run, "r-none").code == 2
    assert refiner("run", "answer", run).code == 0


@pytest.mark.parametrize(
    ("words", "name"),
    [
        *((words, "r-zzzz") for words in NAMED),
        *((("show",), name) for name in ("", "%", "_", "r-zzzz\x1b[2J", "'; DROP TABLE runs")),
    ],
)
def test_a_run_that_is_not_there(words: tuple[str, ...], name: str, refiner: Program) -> None:
    done = refiner("run", *words, name, "--json")
    assert (done.code, done.json["error"]["kind"]) == (2, "not_found")
    assert done.json["error"]["message"] == done.error


@pytest.mark.parametrize("words", NAMED)
def test_a_name_of_several_runs(words: tuple[str, ...], run: str, refiner: Program) -> None:
    other = refiner("solve", QUESTION, "-n", "0", "--json").json["id"]
    done = refiner("run", *words, "r-", "--json")
    assert (done.code, done.json["error"]["kind"]) == (2, "ambiguous")
    assert run in done.error
    assert other in done.error
    assert len(refiner("run", "list", "--json").json) == 2


@pytest.mark.parametrize("words", [("stop",), ("cancel",), ("pause",), ("budget", "--max-calls", "3")])
def test_a_run_that_is_over_cannot_be_ended(words: tuple[str, ...], run: str, refiner: Program) -> None:
    done = refiner("run", *words, run)
    assert (done.code, done.out) == (2, "")
    assert "is not being worked on" in done.error
