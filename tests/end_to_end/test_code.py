"""Code in, code out: what is written where, and with which exit code."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.program import Program
from tests.scripted import Asked, Scripted

BUGGY = '# Ours, MIT.\ndef add(a, b):\n    """The sum."""\n    return a - b  # sic\n'
MENDED = BUGGY.replace("a - b  # sic", "a + b")
TESTS = """from buggy import add


def test_add():
    assert add(1, 2) == 3


def test_none():
    assert add(0, 0) == 0
"""


def says(program: str) -> Callable[[Asked], str]:
    """A model that answers every call for a program with this one, and finds nothing wrong with it."""

    def script(asked: Asked) -> str:
        if "Look for an input" in asked.last:
            return "Verdict: correct, change nothing"
        if "Write six tests" in asked.last:
            return "```python\nassert add(2, 2) == 4\n```"
        return f"It subtracts.\n```python\n{program}```"

    return script


@pytest.fixture
def project(refiner: Program, scripted: Scripted) -> Path:
    scripted.script = says("def add(a, b):\n    return a + b\n")
    (refiner.folder / "buggy.py").write_text(BUGGY)
    (refiner.folder / "test_buggy.py").write_text(TESTS)
    return refiner.folder


def test_the_mended_program_alone_is_printed_and_keeps_its_words(refiner: Program, project: Path) -> None:
    done = refiner("solve", "buggy.py", "--tests", "test_buggy.py")
    assert (done.code, done.out) == (0, MENDED)
    assert "stopped: tests-pass after" in done.err
    assert (project / "buggy.py").read_text() == BUGGY


@pytest.mark.usefixtures("project")
def test_the_json_has_the_tests_of_the_answer(refiner: Program) -> None:
    done = refiner("solve", "buggy.py", "-t", "test_buggy.py", "--json").json
    assert (done["task"]["kind"], done["tests"], done["score"]) == ("code", {"passed": 2, "total": 2}, 1.0)
    assert (done["answer"], done["exit"], done["stop"]["reason"]) == (MENDED, 0, "tests-pass")
    assert [step["tests"] for step in done["iterations"]] == [{"passed": 1, "total": 2}, {"passed": 2, "total": 2}]


@pytest.mark.usefixtures("project")
def test_what_still_fails_is_printed_with_exit_3(refiner: Program, scripted: Scripted) -> None:
    scripted.script = says("def add(a, b):\n    return b - a\n")
    done = refiner("solve", "buggy.py", "--tests", "test_buggy.py", "-k", "2", "-n", "1")
    assert done.code == 3
    assert "def add" in done.out
    assert "stopped: iterations" in done.err
    told = "the best program passes 1 of 2 tests; first failure: assert add(1, 2) == 3 (line 5): gave 1, expected 3"
    assert f"refiner: {told}\n" in done.err
    assert told in refiner("run", "show", "@").out
    assert refiner("run", "show", "@", "--json").json["notes"] == [told]


def test_in_place_keeps_the_old_file_beside_it(refiner: Program, project: Path) -> None:
    (project / "buggy.py").chmod(0o750)
    done = refiner("solve", "buggy.py", "--tests", "test_buggy.py", "-i")
    assert (done.code, done.out) == (0, "")
    assert (project / "buggy.py").read_text() == MENDED
    assert (project / "buggy.py.orig").read_text() == BUGGY
    assert (project / "buggy.py").stat().st_mode & 0o777 == 0o750


def test_in_place_leaves_the_file_where_nothing_passes(refiner: Program, project: Path, scripted: Scripted) -> None:
    scripted.script = says("def add(a, b):\n    return b - a\n")
    done = refiner("solve", "buggy.py", "--tests", "test_buggy.py", "-i", "-k", "1", "-n", "0")
    assert (done.code, done.out) == (3, "")
    assert "left as it is" in done.err
    assert (project / "buggy.py").read_text() == BUGGY


def test_a_patch_applies(refiner: Program, project: Path) -> None:
    done = refiner("solve", "buggy.py", "--tests", "test_buggy.py", "--patch")
    subprocess.run(["git", "apply"], input=done.out, text=True, cwd=project, check=True)
    assert (project / "buggy.py").read_text() == MENDED


def test_what_an_edit_in_the_meantime_keeps_from_its_place_is_not_lost(
    refiner: Program, project: Path, scripted: Scripted
) -> None:
    mends = says("def add(a, b):\n    return a + b\n")

    def script(asked: Asked) -> str:
        (project / "buggy.py").write_text(BUGGY + "# mine\n")
        return mends(asked)

    scripted.script = script
    done = refiner("solve", "buggy.py", "--tests", "test_buggy.py", "-i", "--json", "-q")
    assert (done.code, done.json["error"]["kind"]) == (2, "usage")
    assert (project / "buggy.py").read_text() == BUGGY + "# mine\n"
    assert refiner("run", "answer", done.json["error"]["run"]).out == MENDED


def test_nothing_is_delivered_where_the_tests_cannot_run(refiner: Program, project: Path) -> None:
    (project / "test_buggy.py").write_text(f"import nonesuch\n{TESTS}")
    done = refiner("solve", "buggy.py", "--tests", "test_buggy.py", "-o", "fixed.py")
    assert (done.code, done.out) == (2, "")
    assert "the tests need the package nonesuch" in done.err
    assert not (project / "fixed.py").exists()
    assert refiner("solve", "buggy.py", "--tests", "test_buggy.py").out == ""


@pytest.mark.parametrize("asserted", ["True", "add(1, 2) is not add"])
def test_tests_that_pass_on_anything_are_noted(
    asserted: str, refiner: Program, project: Path, scripted: Scripted
) -> None:
    (project / "test_buggy.py").write_text(f"from buggy import add\n\n\ndef test_it():\n    assert {asserted}\n")
    done = refiner("solve", "buggy.py", "--tests", "test_buggy.py")
    assert (done.code, done.out, scripted.asked) == (0, BUGGY, [])
    assert "the tests pass on an empty program too, so they say nothing" in done.err
    assert len(refiner("run", "show", "@", "--json").json["notes"]) == 1


@pytest.mark.parametrize("skip", ["pytest.importorskip('nonesuch')", "pytestmark = pytest.mark.skip"])
@pytest.mark.parametrize("strategy", ["repair", "textgrad"])
def test_tests_that_are_all_skipped_cost_nothing(
    skip: str, strategy: str, refiner: Program, project: Path, scripted: Scripted
) -> None:
    (project / "test_buggy.py").write_text(f"import pytest\n{skip}\n{TESTS}")
    done = refiner("solve", "buggy.py", "--tests", "test_buggy.py", "-s", strategy)
    assert (done.code, done.out, scripted.asked) == (2, "", [])
    assert "no test ran: with the given program all tests are skipped" in done.err


@pytest.mark.usefixtures("project")
def test_the_difference_is_to_the_given_program(refiner: Program) -> None:
    refiner("solve", "buggy.py", "--tests", "test_buggy.py")
    done = refiner("run", "diff", "@")
    assert "-    return a - b  # sic\n+    return a + b" in done.out


@pytest.mark.usefixtures("project")
def test_a_patch_that_cannot_be_written(refiner: Program) -> None:
    done = refiner("solve", "buggy.py", "--tests", "test_buggy.py", "--patch", "-o", "/dev/full")
    assert done.code == 2
    assert "/dev/full cannot be written" in done.err


def test_a_dry_run_counts_program_and_tests_and_what_passes_at_once(
    refiner: Program, project: Path, scripted: Scripted
) -> None:
    (project / "long").mkdir()
    (project / "long" / "buggy.py").write_text(BUGGY + "# long\n" * 30_000)
    plain = refiner("solve", "buggy.py", "--tests", "test_buggy.py", "--dry-run", "--json").json
    long = refiner("solve", "long/buggy.py", "--tests", "test_buggy.py", "--dry-run", "--json").json
    assert plain["least"]["calls"] == 0
    assert long["most"]["input_tokens"] - plain["most"]["input_tokens"] > 50_000 * plain["most"]["calls"]
    untested = refiner("solve", "buggy.py", "-k", "3", "--dry-run", "--json").json
    refiner("solve", "buggy.py", "-k", "3")
    assert untested["least"]["calls"] == untested["most"]["calls"] == len(scripted.asked)


def test_written_elsewhere(refiner: Program, project: Path) -> None:
    done = refiner("solve", "buggy.py", "--tests", "test_buggy.py", "-o", "fixed.py")
    assert (done.code, done.out) == (0, "")
    assert (project / "fixed.py").read_text() == MENDED


def test_a_resumed_run_writes_where_it_is_told(refiner: Program, project: Path) -> None:
    (project / "buggy.py").write_text(BUGGY.replace("\n", "\r\n"), newline="")
    refiner("solve", "buggy.py", "--tests", "test_buggy.py")
    done = refiner("solve", "--resume", "@", "-o", "buggy.py")
    assert (done.code, done.out) == (0, "")
    assert (project / "buggy.py").read_bytes() == MENDED.replace("\n", "\r\n").encode()
    assert refiner("solve", "--resume", "@", "-o", "nowhere/buggy.py").code == 2


def test_a_program_is_written_from_a_description(refiner: Program, project: Path, scripted: Scripted) -> None:
    (project / "test_buggy.py").write_text(TESTS.replace("from buggy", "from solution"))
    done = refiner("solve", "--answer-type", "code", "--tests", "test_buggy.py", stdin=b"Write add(a, b), the sum.")
    assert (done.code, done.out) == (0, "def add(a, b):\n    return a + b\n")
    assert "Write add(a, b), the sum." in scripted.asked[0].last


@pytest.mark.usefixtures("project")
def test_a_program_comes_through_a_pipe_with_its_line_endings(refiner: Program) -> None:
    done = refiner("solve", "--tests", "test_buggy.py", stdin=BUGGY.replace("\n", "\r\n").encode())
    assert (done.code, done.out) == (0, MENDED.replace("\n", "\r\n"))


@pytest.mark.usefixtures("project")
def test_a_command_judges_in_the_sandbox(refiner: Program) -> None:
    done = refiner("solve", "buggy.py", "--check", "grep -q 'a + b' {}", "--json")
    assert (done.json["exit"], done.json["answer"]) == (0, MENDED)


@pytest.mark.usefixtures("project")
def test_a_command_that_fails_is_no_pass_whatever_its_number(refiner: Program) -> None:
    done = refiner("solve", "buggy.py", "--check", "sh -c 'echo 2; exit 1' {}", "-n", "0", "--json")
    assert (done.code, done.json["tests"]) == (3, {"passed": 0, "total": 1})


def test_a_command_may_be_a_script_of_the_user(refiner: Program, project: Path, scripted: Scripted) -> None:
    (project / "buggy.py").write_text(MENDED)
    (project / "check.sh").write_text('grep -q "a + b" "$1"\n')
    assert refiner("solve", "buggy.py", "--check", "sh check.sh {}").code == 0
    assert scripted.asked == []


@pytest.mark.usefixtures("project")
def test_the_name_of_the_target_tells_the_language_of_a_new_program(refiner: Program, scripted: Scripted) -> None:
    scripted.script = "```bash\necho $(($1 + $2))\n```"
    done = refiner("solve", "Add two numbers.", "--check", "bash -n {}", "-o", "add.sh")
    assert done.code == 0
    assert "```bash" in scripted.asked[0].last
    assert (refiner.folder / "add.sh").read_text() == "echo $(($1 + $2))\n"


@pytest.mark.usefixtures("project")
def test_without_tests_several_programs_are_compared(refiner: Program) -> None:
    done = refiner("solve", "buggy.py", "-k", "3", "--json").json
    assert (done["answer"], done["exit"], done["tests"]) == (MENDED, 0, None)


def test_off_warns_and_a_project_cannot_choose_it(refiner: Program, project: Path) -> None:
    done = refiner("solve", "buggy.py", "--tests", "test_buggy.py", "--sandbox", "off")
    assert done.code == 0
    assert "without a sandbox" in done.err
    (project / "refiner.toml").write_text('[sandbox]\nlayer = "off"\n')
    assert refiner("solve", "buggy.py", "--tests", "test_buggy.py").code == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["buggy.py", "--tests", "missing.py"], 'there is no file "missing.py"'),
        (["buggy.py", "--tests", "broken.py"], "do not parse"),
        (["buggy.py", "--tests", "none.py"], "has no test"),
        (["buggy.py", "--tests", "test_nothing.py"], "the tests assert nothing"),
        (["buggy.py", "--tests", "test_other.py"], "the tests never use the program"),
        (["buggy.py", "--tests", "test_buggy.py", "--check", "true {}"], "not both"),
        (["buggy.py", "--check", "true"], "has no {}"),
        (["What is 2 + 2?", "-i"], "are for code"),
        (["Write add.", "--tests", "test_buggy.py", "-i"], "needs a file of code"),
        (["buggy.py", "--tests", "test_buggy.py", "--answer-type", "number"], "tests are for code"),
        (["empty.py", "--tests", "test_buggy.py"], "is empty"),
        (["buggy.py", "--tests", "test_buggy.py", "-s", "vote"], "use repair, refine or textgrad"),
        (["tool.rb", "--tests", "test_buggy.py"], "tool.rb is ruby: give --check"),
    ],
)
def test_what_cannot_be_mended(
    words: list[str], message: str, refiner: Program, project: Path, scripted: Scripted
) -> None:
    (project / "broken.py").write_text("assert add(1, 2) ==\n")
    (project / "none.py").write_text("x = 1\n")
    (project / "test_nothing.py").write_text("import buggy\n\n\ndef test_it():\n    buggy.add(1, 2)\n")
    (project / "test_other.py").write_text("def test_it():\n    assert 1 + 1 == 2\n")
    (project / "empty.py").write_text("")
    (project / "tool.rb").write_text("puts 1\n")
    done = refiner("solve", *words)
    assert (done.code, done.out) == (2, "")
    assert message in done.error
    assert scripted.asked == []


def test_a_file_of_a_package_sees_its_neighbours_and_not_the_tests_or_secrets(
    refiner: Program, project: Path, scripted: Scripted
) -> None:
    package = project / "shop"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "rates.py").write_text("TAX = 2\n")
    (package / "prices.py").write_text("from shop.rates import TAX\n\n\ndef price(net):\n    return net + TAX\n")
    (package / "test_prices.py").write_text(
        "from shop.prices import price\n\n\ndef test_it():\n    assert price(3) == 6\n"
    )
    (project / ".env").write_text("KEY=hidden\n")
    looking = """import pathlib
import shop
from shop.rates import TAX

def price(net):
    found = {path.name for path in pathlib.Path(shop.__file__).parents[1].rglob("*")}
    return 0 if found & {"test_prices.py", ".env"} else net * TAX
"""
    scripted.script = says(looking)
    done = refiner("solve", "shop/prices.py", "--tests", "shop/test_prices.py")
    assert done.code == 0
    assert "net * TAX" in done.out
