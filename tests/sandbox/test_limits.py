"""Each limit ends a cell, or makes the call fail, and is told apart from the others."""

import pytest

from refiner.domain.code import Outcome
from refiner.sandbox.choose import Layer
from refiner.sandbox.limits import Limits
from tests.sandbox.trial import LAYERS, LIMITS, command, ran, sandboxed

pytestmark = pytest.mark.anyio

TREE = """
import os, time
for _ in range(6):
    if os.fork() == 0:
        taken = b"x" * {size}
        time.sleep(60)
time.sleep(60)
"""
FLOOD = "import os\nwhile True: os.write(1, b'x' * 65536)"
SPIN = "while True: pass"
MANY = """
import os, time
started = 0
try:
    for _ in range(200):
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
        started += 1
except OSError as error:
    print("refused after", started)
"""
UNITS = """
import os
open("a", "wb").write(b"x" * {fits})
print("fits")
try:
    open("b", "wb").write(b"x" * {more})
except OSError as error:
    print("refused")
"""


@pytest.mark.parametrize("layer", LAYERS)
async def test_time(layer: Layer) -> None:
    async with sandboxed(layer) as sandbox:
        waiting = await ran(sandbox, "import time; time.sleep(60)", limits=Limits(wall=0.5))
        busy = await ran(sandbox, SPIN, limits=Limits(wall=30, cpu=0.5))
        several = await ran(sandbox, f"import os\nos.fork()\nos.fork()\n{SPIN}", limits=Limits(wall=30, cpu=1))

    assert (waiting.outcome, busy.outcome, several.outcome) == (Outcome.TIMEOUT,) * 3
    assert waiting.seconds >= 0.5
    assert max(busy.seconds, several.seconds) < 30


@pytest.mark.parametrize("layer", LAYERS)
async def test_memory_of_one_process(layer: Layer) -> None:
    source = "try: b'x' * (300 << 20)\nexcept MemoryError: print('refused')\nprint(len(b'x' * (60 << 20)))"
    async with sandboxed(layer) as sandbox:
        ending = await ran(sandbox, source, limits=Limits(memory=256 << 20))

    assert ending.output.split() == [b"refused", b"62914560"]


@pytest.mark.parametrize("layer", LAYERS)
async def test_memory_of_the_tree(layer: Layer) -> None:
    async with sandboxed(layer) as sandbox:
        ending = await ran(sandbox, TREE.format(size=100 << 20), limits=Limits(memory=256 << 20, wall=30))
        shared = await ran(sandbox, TREE.format(size="(1 << 20)"), limits=Limits(memory=256 << 20, wall=1))

    assert ending.outcome is Outcome.MEMORY
    # Many small processes that share an interpreter are no reason.
    assert shared.outcome is Outcome.TIMEOUT


@pytest.mark.parametrize("layer", LAYERS)
async def test_processes(layer: Layer) -> None:
    async with sandboxed(layer) as sandbox:
        ending = await ran(sandbox, MANY, limits=Limits(processes=20))

    refused, _, after = ending.output.decode().rpartition(" ")
    assert refused == "refused after"
    assert 5 <= int(after) <= 20


@pytest.mark.parametrize("layer", LAYERS)
async def test_file_size(layer: Layer) -> None:
    async with sandboxed(layer) as sandbox:
        source = UNITS.format(fits=1 << 20, more=3 << 20)
        ending = await ran(sandbox, source, limits=Limits(file_size=2 << 20))

    assert ending.output.split() == [b"fits", b"refused"]


async def test_scratch_and_inodes_are_a_file_system_of_their_own() -> None:
    async with sandboxed("bubblewrap") as sandbox:
        full = await ran(sandbox, UNITS.format(fits=3 << 20, more=3 << 20), limits=Limits(scratch=4 << 20))
        files = "import os\nfor n in range(1000):\n    open(f'f{n}', 'w').close()"
        many = await ran(sandbox, files, limits=Limits(inodes=100))

    assert full.output.split() == [b"fits", b"refused"]
    assert b"No space left on device" in many.output


async def test_scratch_and_inodes_are_watched() -> None:
    async with sandboxed("landlock") as sandbox:
        wait = "\nimport time; time.sleep(60)"
        full = await ran(sandbox, UNITS.format(fits=3 << 20, more=3 << 20) + wait, limits=Limits(scratch=4 << 20))
        files = "for n in range(1000):\n    open(f'f{n}', 'w').close()" + wait
        many = await ran(sandbox, files, limits=Limits(inodes=100))

    assert (full.outcome, many.outcome) == (Outcome.KILLED, Outcome.KILLED)


@pytest.mark.parametrize("layer", LAYERS)
async def test_output_is_kept_from_both_ends(layer: Layer) -> None:
    async with sandboxed(layer) as sandbox:
        source = "import sys; print('first', 'x' * 500_000, sep='\\n', flush=True); print('last', file=sys.stderr)"
        ending = await ran(sandbox, source, limits=Limits(output=1000))
        small = await ran(sandbox, "print('only')", limits=Limits(output=1000))
        flood = await ran(sandbox, FLOOD, limits=Limits(output=1000, flood=1 << 20, wall=60))

    assert ending.outcome is None
    assert ending.output.startswith(b"first\n")
    assert ending.output.endswith(b"last\n")
    assert b"bytes ..." in ending.output
    assert len(ending.output) < 1100
    assert small.output == b"only\n"
    assert flood.outcome is Outcome.OUTPUT_LIMIT
    assert flood.seconds < 60
    assert len(flood.output) < 1100


@pytest.mark.parametrize("layer", LAYERS)
async def test_a_frame_that_is_too_long(layer: Layer) -> None:
    async with sandboxed(layer) as sandbox, sandbox.open("command", limits=Limits(frame=4)) as cell:
        assert await command(cell, "true") is None
        assert (await cell.close()).outcome is Outcome.OUTPUT_LIMIT


@pytest.mark.parametrize("layer", LAYERS)
async def test_a_signal(layer: Layer) -> None:
    """The first process of a cell is the harness; here it is the program, by way of a breakout that crashes."""
    async with sandboxed(layer) as sandbox:
        ending = await ran(sandbox, "import ctypes; ctypes.memset(0, 1, 1)")
        assert ending.outcome is None

        async with sandbox.open("command", limits=LIMITS) as cell:
            await cell.send(b"no JSON at all")
            assert await cell.receive() is None
            broken = await cell.close()
        assert broken.outcome is None
        assert b"JSONDecodeError" in broken.output
