"""The process that serves one model to every refiner process of the user: `python -m refiner.providers.local.server`.

It is started by `sharing`, never by hand: its one argument is an Options as JSON. It leaves its starter behind, says on
standard output "ready" or what went wrong, and ends when nobody has held its lease for long enough.
"""

import fcntl
import json
import os
import re
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

READY = "ready"

_PROMPTS_MIB = 512
"""Bound of the memory that keeps the prompts of idle calls."""
_LOOKUP, _AHEAD = 8, 24
"""Speculation: so many tokens must repeat an earlier place for so many to be guessed from it (as measured by
benchmarks/speculation.py)."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the server has to know; `starting` is the descriptor of a lock that it holds until it is ready."""

    model: str
    socket: str
    lease: str
    log: str
    starting: int
    threads: int
    context: int
    parallel: int
    speculation: bool


def main() -> None:
    options = Options(**json.loads(sys.argv[1]))
    if os.fork():
        os._exit(0)  # the starter waits for this process alone, so that the server is never its zombie
    os.umask(0o077)
    report = _divert_output(options.log)
    try:
        server = _serve(options)
    except Exception as error:  # noqa: BLE001 - the starter is the one who can tell the user
        Path(options.socket).unlink(missing_ok=True)
        _say(report, _first_error(options.log) or str(error))
        os._exit(1)
    own = Path(options.socket).stat().st_ino
    _say(report, READY)
    os.close(options.starting)
    _await_idleness(options.lease)
    with suppress(OSError):
        if Path(options.socket).stat().st_ino == own:
            Path(options.socket).unlink()
    del server
    os._exit(0)


def _serve(options: Options) -> object:
    """The running server; it answers until the process ends."""
    import xllamacpp  # type: ignore[import-untyped]

    Path(options.socket).unlink(missing_ok=True)
    params = xllamacpp.CommonParams()
    params.model.path = options.model
    params.no_extra_bufts = True  # the weights stay mapped: repacked copies take their size again and bring no speed
    params.hostnames = [options.socket]
    params.n_parallel = options.parallel
    params.kv_unified = True
    params.n_ctx = options.context * options.parallel
    params.kv_unified_per_slot = options.context
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = options.threads
    params.cache_ram_mib = _PROMPTS_MIB
    params.warmup = params.fit_params = False
    params.verbosity = 1
    params.ui = False
    if options.speculation:
        params.speculative.types = [xllamacpp.common_speculative_type.COMMON_SPECULATIVE_TYPE_NGRAM_SIMPLE]
        params.speculative.ngram_simple.size_n = _LOOKUP
        params.speculative.ngram_simple.size_m = _AHEAD
    return xllamacpp.Server(params)


def _divert_output(log: str) -> int:
    """Send all that llama.cpp prints to the log; the descriptor that standard output was."""
    report = os.dup(1)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.close(file)
    return report


def _say(report: int, text: str) -> None:
    with suppress(BrokenPipeError):  # the starter may be gone; others may still come
        os.write(report, text.encode())
    os.close(report)


def _first_error(log: str) -> str:
    """The first error that llama.cpp logged: the cause, where the later ones are its consequences."""
    found = re.search(r"^\S+ E \s*(.+)$", Path(log).read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
    return found[1] if found else ""


def _await_idleness(path: str) -> None:
    """Return when nobody has held the lease for the seconds written in it, and with nobody able to take it."""
    lease = os.open(path, os.O_RDWR)
    while True:
        fcntl.flock(lease, fcntl.LOCK_EX)  # comes through when the last holder is gone
        taken, seconds = os.fstat(lease).st_mtime_ns, float(os.pread(lease, 100, 0))
        fcntl.flock(lease, fcntl.LOCK_UN)
        time.sleep(seconds)
        with suppress(BlockingIOError):
            fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(lease).st_mtime_ns == taken:
                return


if __name__ == "__main__":
    main()
