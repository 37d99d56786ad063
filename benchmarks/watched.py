"""The terminal UI on runs in memory that go on and on: `python -m benchmarks.watched keys|stream|memory DESCRIPTOR`.

Into the descriptor goes a line when a run of 500 iterations is shown, then one a repaint after a key (its time), or one
for every 10,000 events.
"""

import os
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import anyio

from refiner.domain.events import Delta, Heard
from refiner.domain.store import RunRow
from refiner.tui.app import RefinerApp
from refiner.tui.screens.run import RunScreen
from refiner.tui.widgets.table import Table
from tests.tui.told import Story, plan, rows
from tests.tui.told_source import Told

LIVE, ITERATIONS, RATE, EVENTS = 200, 500, 100, 10_000
CALL = "0/500/critic/loss"


@dataclass
class Streaming(Told):
    """Runs that all change all the time, and one that streams tokens, or calls as fast as they are taken."""

    to: int = 0
    mode: str = "stream"

    async def changed(self, since: datetime) -> Sequence[RunRow]:
        self.rows = [replace(row, tokens=row.tokens + 10, updated_at=datetime.now(since.tzinfo)) for row in self.rows]
        return self.rows

    async def follow(self, run: str, after: int = 0) -> AsyncGenerator[Sequence[Heard], None]:
        story = Story(run).begin(plan("Write a lot."))
        for index in range(1 if self.mode == "stream" else ITERATIONS):
            story.call(f"0/{index}/answer/0", "Version.").candidate(0, index, f"Version {index} of it. " * 20)
            story.decide(0, index, "it differs")
        yield story.ask(CALL).events
        async for what in self._calls(run) if self.mode == "memory" else self._tokens(run):
            yield what

    async def _tokens(self, run: str) -> AsyncIterator[Sequence[Heard]]:
        began, told = time.perf_counter(), 0
        while True:
            await anyio.sleep(1 / RATE)
            due = int((time.perf_counter() - began) * RATE)
            yield [Delta(run, CALL, "token ")] * (due - told)
            told = due

    async def _calls(self, run: str) -> AsyncIterator[Sequence[Heard]]:
        first = 1_000_000
        while True:
            for _ in range(EVENTS // 1_000):
                events: list[Heard] = []
                for _ in range(100):
                    call = Story(run, first).call(CALL, "A word or two of what is wrong. " * 10).events
                    events += [call[0], *[Delta(run, CALL, "A word or two of it. ")] * 8, call[1]]
                    first += 2
                yield events
            os.write(self.to, b"more\n")


class Watched(RefinerApp):
    """Tells when the cursor has moved on the screen."""

    def __init__(self, source: Streaming) -> None:
        super().__init__(source, run=source.rows[0].id)
        self._tell, self._at = source.to, -1

    def post_display_hook(self) -> None:
        if isinstance(self.screen, RunScreen) and self.screen.model.last:
            at = self.screen.query_one("#iterations", Table).cursor
            if at != self._at:
                self._at = at
                os.write(self._tell, f"{time.perf_counter()}\n".encode())


def main() -> None:
    mode, tell = sys.argv[1:]
    live = [replace(row, status="running", live=True) for row in rows(LIVE)]
    source = Streaming(live, to=int(tell), mode=mode)
    Watched(source).run()


if __name__ == "__main__":
    main()
