"""A program in a terminal that nobody looks at: what it shows and how fast, and what it takes of the processor."""

import os
import pty
import resource
import termios
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGTERM

SIZE = (36, 120)
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Terminal:
    """A process and the master of its terminal, which a thread reads. Times are of `time.perf_counter`."""

    pid: int
    master: int
    began: float = field(default_factory=time.perf_counter)
    shown: bytes = b""
    news: threading.Condition = field(default_factory=threading.Condition)

    def press(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def seconds_to(self, words: str) -> float:
        """Wait until it has written the words: seconds since it began."""
        with self.news:
            if not self.news.wait_for(lambda: words.encode() in self.shown, timeout=60):
                raise SystemExit(f"{words!r} is not in {self.shown[-2000:]!r}")
        return time.perf_counter() - self.began

    @property
    def processor(self) -> float:
        """Seconds of processor time that it has used."""
        told = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(told[11]) + int(told[12])) / TICKS

    @property
    def megabytes(self) -> float:
        """What it holds of memory now."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * resource.getpagesize() / 2**20

    def read(self) -> None:
        try:
            while data := os.read(self.master, 1 << 16):
                with self.news:
                    self.shown = (self.shown + data)[-1_000_000:]
                    self.news.notify_all()
        except OSError:
            pass  # the program has ended


@contextmanager
def terminal(command: Sequence[str], env: Mapping[str, str], keep: Sequence[int] = ()) -> Iterator[Terminal]:
    """Start a command, which is ended at the end. keep: descriptors that it inherits."""
    began = time.perf_counter()
    pid, master = pty.fork()
    if not pid:
        termios.tcsetwinsize(0, SIZE)
        for descriptor in keep:
            os.set_inheritable(descriptor, True)
        os.execvpe(command[0], tuple(command), {**env, "TERM": "xterm-256color", "COLORTERM": "truecolor"})
    shown = Terminal(pid, master, began)
    threading.Thread(target=shown.read, daemon=True).start()
    try:
        yield shown
    finally:
        os.kill(pid, SIGTERM)
        os.waitpid(pid, 0)
        os.close(master)
