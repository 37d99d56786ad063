"""One process that compares formulas with math-verify, which refuses threads and may hang or eat memory.

It is started at the first comparison that needs it, ended by the kernel when one takes too long, and started anew.
"""

import atexit
import json
import resource
import signal
import subprocess
import sys
import threading

_START_SECONDS = 60.0
_MEMORY_BYTES = 2 << 30


class Worker:
    """Compares formulas, one at a time, in a process of its own; may be used from any thread.

    seconds is the most that one comparison may take.
    """

    def __init__(self, seconds: float = 5.0) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int | None:
        """The process, while there is one."""
        return self._process.pid if self._process else None

    def same(self, a: str, b: str) -> bool:
        """Whether two formulas are mathematically equal; False as well where that cannot be found out in time."""
        with self._lock:
            process = self._running()
            assert process.stdin is not None  # noqa: S101 (for the type checker)
            assert process.stdout is not None  # noqa: S101
            try:
                process.stdin.write(json.dumps([a, b]) + "\n")
                process.stdin.flush()
                verdict = process.stdout.readline()
            except OSError:
                verdict = ""
            if not verdict:
                self.close()
            return verdict.strip() == "true"

    def close(self) -> None:
        """End the process; the next comparison starts another."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            try:
                process.communicate()
            except (OSError, ValueError):
                process.wait()

    def _running(self) -> subprocess.Popen[str]:
        if self._process is not None and self._process.poll() is not None:
            self.close()
        if self._process is None:
            # -P: a math_verify.py in the user's folder is not ours. A session of its own: Ctrl-C is not for it.
            self._process = subprocess.Popen(  # noqa: S603 (the program is ours)
                [sys.executable, "-P", "-m", __name__, str(self._seconds)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                start_new_session=True,
            )
        return self._process


WORKER = Worker()
"""The worker that the whole process shares."""
atexit.register(WORKER.close)


def _serve(seconds: float) -> None:
    """Answer each line of JSON, two formulas, with true or false, until the input ends.

    The alarm's default action is death: neither C code nor a loop that catches everything outlives it.
    """
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, _START_SECONDS)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    # The expression extractor is left out: it evaluates what it reads as Python.
    from math_verify import LatexExtractionConfig, parse, verify  # type: ignore[import-untyped]

    def formula(text: str) -> list[object]:
        found: list[object] = parse(
            f"${text}$", [LatexExtractionConfig()], fallback_mode="no_fallback", parsing_timeout=None
        )
        return found

    for line in sys.stdin:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        a, b = (formula(text) for text in json.loads(line))
        equal = any(verify(*pair, timeout_seconds=None) for pair in ((a, b), (b, a)))
        print(json.dumps(equal), flush=True)  # noqa: T201
        signal.setitimer(signal.ITIMER_REAL, 0)


if __name__ == "__main__":
    _serve(float(sys.argv[1]))
