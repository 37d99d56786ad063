"""A process that writes a run: `python -m tests.store.process URL STATE RUN COUNT [fork]`.

It prints "ready" (and its forked child's pid) once the run exists, then the text of each note after its commit, COUNT
of them or, for 0, until it is killed.
"""

import os
import signal
import sys
from itertools import count
from pathlib import Path

import anyio

from refiner.domain.events import Note
from refiner.store.sql import SqlStore


async def main(*arguments: str) -> None:
    url, state, run, notes, *fork = arguments
    store = SqlStore.open(url, state=Path(state))
    await store.create(run)
    child = os.fork() if fork else 0
    if fork and child == 0:
        while True:
            signal.pause()
    print("ready", child, flush=True)
    for number in range(int(notes)) if int(notes) else count():
        text = f"{run} {number} " + "x" * 200
        await store.append(run, [Note(text)])
        print(text, flush=True)
    await store.aclose()


if __name__ == "__main__":
    anyio.run(main, *sys.argv[1:])
