"""Standard output: hostile texts, JSON, colours, and a reader that goes away."""

import io
import json
import os
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refiner.cli import output

BIDIRECTIONAL = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
ANYTHING = st.text(st.characters(codec=None, exclude_categories=())) | st.text(
    st.sampled_from("\x1b\x9b[]0;m\x07\\ab\n\t\r\x00\x7f\x85\u202e\u200d\ud800")
)


@given(ANYTHING)
def test_nothing_harmful_is_left(text: str) -> None:
    cleaned = output.clean(text)
    assert all(char in "\n\t" or unicodedata.category(char) not in ("Cc", "Cs") for char in cleaned)
    assert not set(cleaned) & set(BIDIRECTIONAL)
    assert output.clean(cleaned) == cleaned
    cleaned.encode()


@given(st.text(st.characters(exclude_categories=("Cc", "Cs", "Cf"), include_characters="\n\t\u200d\u200c")))
def test_harmless_text_stays_as_it_is(text: str) -> None:
    assert output.clean(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31;1mred\x1b[0m", "red"),
        ("\x1b]0;title\x07answer", "answer"),
        ("\x1b]52;c;aGk=\x1b\\kept", "kept"),
        ("over\rwritten\r\n", "overwritten\n"),
        ("\x1b\x1b[2J[2J", "[2J"),
        ("8-bit \x9b31m", "8-bit 31m"),
        ("a\u202eb", "ab"),
        ("\ud800", "\ufffd"),
    ],
)
def test_sequences(text: str, shown: str) -> None:
    assert output.clean(text) == shown


def test_a_line_is_one_line() -> None:
    assert output.line(" a\n\x1b[1mb\tc\r\n") == "a b c"


def test_texts_end_with_one_newline(capsys: pytest.CaptureFixture[str]) -> None:
    output.text("a")
    output.text("b\n")
    assert capsys.readouterr().out == "a\nb\n"


@given(ANYTHING)
def test_json_keeps_everything_and_is_ascii(text: str) -> None:
    stdout, sys.stdout = sys.stdout, io.StringIO()
    try:
        output.json_line({"answer": text})
        written = sys.stdout.getvalue()
    finally:
        sys.stdout = stdout
    assert json.loads(written) == {"answer": text}
    assert written.isascii()
    assert written.count("\n") == 1


def test_tables_are_aligned_and_harmless(capsys: pytest.CaptureFixture[str]) -> None:
    output.table(("RUN", "TITLE"), [("r-1", "two\nlines"), ("r-22222", "\x1b[1mbold")])
    output.table(("RUN",), [])
    assert capsys.readouterr().out == "RUN      TITLE\nr-1      two lines\nr-22222  bold\n"


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("choice", "environ", "terminal", "expected"),
    [
        (None, {}, True, True),
        ("auto", {}, False, False),
        ("auto", {"NO_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": ""}, True, True),
        ("auto", {"TERM": "dumb"}, True, False),
        ("always", {"NO_COLOR": "1"}, False, True),
        ("never", {}, True, False),
    ],
)
def test_colours(
    choice: str | None, environ: dict[str, str], terminal: bool, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert output.colored(choice, _Terminal() if terminal else io.StringIO()) is expected


def _python(code: str, stdout: int, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", f"from refiner.cli import output; {code}"],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environ},
        check=False,
    )


def test_a_reader_that_went_away_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    done = _python("output.text('answer')", write)
    os.close(write)
    assert (done.returncode, done.stderr) == (output.PIPE_CLOSED, "")


def test_a_full_disk_is_an_error() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    done = _python("output.raw(b'answer')", full)
    os.close(full)
    assert "RefinerError: cannot write to standard output: No space left on device" in done.stderr


def test_a_terminal_that_knows_few_characters() -> None:
    done = _python("output.text('caf\\xe9 \\u2713')", subprocess.PIPE, PYTHONIOENCODING="ascii")
    assert (done.stdout, done.returncode) == ("caf\\xe9 \\u2713\n", 0)
