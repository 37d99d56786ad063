"""A user at a terminal: what is asked before money is spent, and Ctrl-C there."""

import os
import pty
import signal
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.end_to_end.model import MENDED, QUESTION, mending
from tests.end_to_end.program import Program
from tests.scripted import Scripted

DEAR = ("-m", "anthropic:claude-haiku-4-5", "--set", "confirm_above=0.0001")


@dataclass(frozen=True)
class Keyboard:
    """A terminal: what is typed, and where a program reads it."""

    keys: int
    terminal: int

    def type(self, text: str) -> None:
        os.write(self.keys, text.encode())


@pytest.fixture
def keyboard() -> Iterator[Keyboard]:
    both = Keyboard(*pty.openpty())
    yield both
    os.close(both.keys)
    os.close(both.terminal)


@pytest.mark.parametrize(("typed", "code", "out"), [("y", 0, MENDED + "\n"), ("Yes", 0, MENDED + "\n"), ("n", 2, "")])
def test_the_question_before_a_dear_run(
    typed: str, code: int, out: str, keyboard: Keyboard, refiner: Program, scripted: Scripted
) -> None:
    scripted.script = mending
    process = refiner.start("solve", QUESTION, *DEAR, stdin=keyboard.terminal, terminal=True)
    process.said("Go on? [y/N]")
    keyboard.type(f"{typed}\n")
    done = process.wait()
    assert (done.code, done.out) == (code, out)
    assert bool(scripted.asked) is (code == 0)


@pytest.mark.parametrize("words", [(), ("-",), ("-", "--answer-type", "code")])
def test_it_says_that_it_waits(
    words: tuple[str, ...], keyboard: Keyboard, refiner: Program, scripted: Scripted
) -> None:
    process = refiner.start("solve", *words, "--dry-run", stdin=keyboard.terminal, terminal=True)
    process.said("on standard input; end it with Ctrl-D")
    keyboard.type(f"{QUESTION}\n\x04")
    done = process.wait()
    assert (done.code, scripted.asked) == (0, [])
    assert QUESTION in done.out


def test_it_waits_in_silence_where_it_was_asked_to(keyboard: Keyboard, refiner: Program, scripted: Scripted) -> None:
    scripted.script = mending
    keyboard.type(f"{QUESTION}\n\x04")
    assert refiner.start("solve", "-q", stdin=keyboard.terminal, terminal=True).wait().err == ""


@pytest.mark.parametrize("words", [("solve", QUESTION, *DEAR), ("run", "rm", "@")])
def test_ctrl_c_is_a_no(words: tuple[str, ...], keyboard: Keyboard, refiner: Program, scripted: Scripted) -> None:
    scripted.script = mending
    assert refiner("solve", QUESTION).code == 0
    process = refiner.start(*words, stdin=keyboard.terminal, terminal=True)
    process.said("[y/N]")
    process.signal(signal.SIGINT)
    done = process.wait()
    assert (done.code, done.out) == (130, "")
    assert len(refiner("run", "list", "--json").json) == 1


def test_a_run_that_is_not_to_be_deleted(keyboard: Keyboard, refiner: Program, scripted: Scripted) -> None:
    scripted.script = mending
    assert refiner("solve", QUESTION).code == 0
    process = refiner.start("run", "rm", "@", stdin=keyboard.terminal, terminal=True)
    process.said("[y/N]")
    keyboard.type("\n")
    assert process.wait().code == 2
    assert len(refiner("run", "list", "--json").json) == 1
