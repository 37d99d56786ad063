"""`refiner solve --tui` at a terminal of its own: its streams are pipes, and leaving it ends no run."""

import os
import pty
import sys
import termios
from threading import Event

import pytest

from tests.end_to_end.model import MENDED, QUESTION, mending, phase
from tests.end_to_end.program import Program
from tests.scripted import Asked, Outcome, Scripted

LEAVING = b"q"


def at_a_terminal(refiner: Program, shell: str, until: bytes, left: Event) -> int:
    """The exit code of a shell's line at a new terminal, at which `q` is pressed once `until` is seen; sets `left`."""
    command = f"{sys.executable} -m refiner"
    pid, keys = pty.fork()
    if pid == 0:
        os.chdir(refiner.folder)
        words = ["sh", "-c", shell.replace("refiner", command)]
        os.execvpe("sh", words, {"PATH": os.defpath, "TERM": "xterm-256color", **refiner.environ})
    termios.tcsetwinsize(keys, (24, 80))
    shown = b""
    try:
        while chunk := os.read(keys, 1 << 16):
            shown += chunk
            if until in shown:
                os.write(keys, LEAVING)
                until = b"\0never"
            if b"\x1b[?1049l" in shown:  # the terminal's own screen is back
                left.set()
    except OSError:
        pass  # everybody has left the terminal
    os.close(keys)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_it_is_watched_left_and_answers_into_a_pipe(refiner: Program, scripted: Scripted) -> None:
    left = Event()

    def slowly(asked: Asked) -> Outcome:
        """No update before the screen is left."""
        if phase(asked) == "update":
            left.wait(30)
        return mending(asked)

    scripted.script = slowly
    (refiner.folder / "question").write_text(QUESTION)
    shell = "cat question | refiner solve --tui 2>notes >answer"
    assert at_a_terminal(refiner, shell, b"flawed", left) == 0
    assert left.is_set()
    assert (refiner.folder / "answer").read_text() == MENDED + "\n"
    assert (refiner.folder / "notes").read_text().startswith("refiner: stopped: converged after 1 iteration")


@pytest.mark.parametrize(
    ("words", "said"),
    [((), "--tui needs a terminal"), (("--jsonl",), "leave --jsonl"), (("--detach",), "--detach")],
)
def test_where_it_cannot_be(words: tuple[str, ...], said: str, refiner: Program, scripted: Scripted) -> None:
    done = refiner("solve", QUESTION, "--tui", *words)
    assert (done.code, said in done.error, scripted.asked) == (2, True, [])
