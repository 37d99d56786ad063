"""The process that serves one model to every refiner process of the user: `python -m refiner.providers.local.server`.

It is started by `sharing`, never by hand: its one argument is an Options as JSON. It leaves its starter behind, says on
standard output "ready" or what went wrong, and ends when its lease file has had no holder for long enough.
"""

import fcntl
import json
import os
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

READY = "ready"

_PROMPTS_MIB = 512
"""Bound of the cache that keeps the prompts of idle calls."""
_LOOKUP, _AHEAD = 8, 24
"""Tokens that must be seen again, and tokens then guessed (benchmarks/speculation.py measures them)."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the server needs to know. starting is the descriptor of the lock that says it is not ready yet."""

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
        os._exit(0)  # the starter waits for this one only, and leaves no zombie
    report = _silence(options.log)
    try:
        server = _serve(options)
    except Exception as error:  # noqa: BLE001 - whatever it is, the starter is the one who can tell
        _say(report, _reason(options.log) or str(error))
        os._exit(1)
    _say(report, READY)
    os.close(options.starting)
    _wait_for_no_lease(options.lease)
    del server
    os.unlink(options.socket)
    os._exit(0)
