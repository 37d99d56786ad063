"""A real terminal: tmux, whose screen is read whenever the program in it has written."""

import os
import re
import select
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.end_to_end.program import PATIENCE

SET = ("set -g default-size 120x36", "set -g remain-on-exit on")


@dataclass(frozen=True)
class Terminal:
    """What one program writes, and the keys that it is given. news: a pipe that tells that something was written."""

    server: tuple[str, ...]
    news: int

    def press(self, *keys: str) -> None:
        """Keys as tmux names them: p, Enter, C-c."""
        self._tmux("send-keys", *keys)

    def shows(self, pattern: str) -> str:
        """Wait until the screen shows what the pattern finds, and give that."""
        while not (found := re.search(pattern, screen := self._tmux("capture-pane", "-p"))):
            if not select.select([self.news], [], [], PATIENCE)[0]:
                raise TimeoutError(f"for {PATIENCE:g} seconds nothing has changed, and {pattern!r} is not in\n{screen}")
            os.read(self.news, 1 << 16)
        return found[0]

    def ended(self) -> int:
        """Wait until the program has ended: its exit code."""
        with suppress(ProcessLookupError):
            process = os.pidfd_open(int(self._tmux("display", "-p", "#{pane_pid}")))
            ended = select.select([process], [], [], PATIENCE)[0]
            os.close(process)
            assert ended, f"it did not end in {PATIENCE:g} seconds, and shows\n{self._tmux('capture-pane', '-p')}"
        server = int(self._tmux("display", "-p", "#{pid}"))
        while not (status := self._tmux("display", "-p", "#{pane_dead_status}#{pane_dead_signal}").strip()):
            os.kill(server, signal.SIGCHLD)  # tmux 3.3 misses this at times, and then waits for ever
        return int(status)

    def _tmux(self, *words: str) -> str:
        return subprocess.run([*self.server, *words], capture_output=True, text=True, check=True).stdout


@contextmanager
def terminal(place: Path, environ: Mapping[str, str], *command: str) -> Iterator[Terminal]:
    """A program in a terminal of its own, below a folder; it is told to end, if it has not by then."""
    place.mkdir()
    os.mkfifo(pipe := place / "news")
    (place / "tmux.conf").write_text("\n".join(SET))
    server = ("tmux", "-u", "-S", str(place / "socket"), "-f", str(place / "tmux.conf"))
    around = [word for name, value in environ.items() for word in ("-e", f"{name}={value}")]
    news = os.open(pipe, os.O_RDWR)
    try:
        shown = Terminal(server, news)
        shown._tmux("new", "-d", *around, "--", *command, ";", "pipe-pane", f"exec cat > {pipe}")
        yield shown
    finally:
        try:
            dead, pid = shown._tmux("display", "-p", "#{pane_dead} #{pane_pid}").split()
            if dead == "0":
                with suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGTERM)
                shown.ended()
        finally:
            shown._tmux("kill-server")
            os.close(news)
