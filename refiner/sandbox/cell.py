"""What runs foreign code: a cell is one process tree in isolation, a sandbox opens cells."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Literal, Protocol

from refiner.domain.code import Outcome

Inside = Literal["candidate", "tester", "command"]
"""Which program of `refiner/sandbox/inside` a cell runs; each has `main(channel)`."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a cell ended.

    outcome: TIMEOUT, MEMORY, OUTPUT_LIMIT, KILLED or SANDBOX where a limit, a signal or the sandbox ended it, None
    where it ended by itself or was closed by us. output: what both streams printed, cut to the limit. seconds: wall.
    """

    outcome: Outcome | None
    output: bytes = b""
    seconds: float = 0.0


class Cell(Protocol):
    """A running cell. Frames are whole messages of bytes; those that come out of it are hostile."""

    async def send(self, frame: bytes) -> None:
        """Hand a frame in; a cell that has ended takes it silently."""

    async def receive(self) -> bytes | None:
        """The next frame, None once the cell has ended or sent what is no frame, or one longer than allowed."""

    async def close(self) -> Ending:
        """End it: when this returns, all that it started is dead and its scratch is gone. Idempotent."""


class Sandbox(Protocol):
    """An isolation that works on this machine; `layer` is its name: bubblewrap, landlock or off."""

    @property
    def layer(self) -> str: ...

    def open(self, inside: Inside, *, folder: str | None = None) -> AbstractAsyncContextManager[Cell]:
        """A fresh cell, closed on the way out; the folder is mounted in it read-only at /project.

        Raises SandboxError where none can be made.
        """

    async def aclose(self) -> None: ...
