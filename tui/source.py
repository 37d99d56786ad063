"""Where the screens get their runs from, whatever is behind it."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from refiner.domain.errors import UsageError
from refiner.domain.eval_state import EvalLine, EvalPair, EvalState
from refiner.domain.events import Heard
from refiner.domain.run import Control, Limits, Rewrite
from refiner.domain.service import ServiceState
from refiner.domain.store import RunRow


@dataclass(frozen=True, slots=True)
class Sketch:
    """A new run as a form describes it: files by their paths, a blank is a choice that is left open."""

    task: str = ""
    file: str = ""
    tests: str = ""
    strategy: str = ""
    model: str = ""
    calls: str = ""
    cost: str = ""


class FormError(UsageError):
    """A field of a form, by its name, is wrong."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class Source(Protocol):
    """Runs to look at and to steer. Every method may be called from the event loop: none blocks it.

    Raises DaemonError where the connection is lost; whoever asks again later misses nothing.
    """

    @property
    def name(self) -> str:
        """What the header says of it, such as "service"."""
        ...

    async def runs(self, limit: int, offset: int = 0) -> Sequence[RunRow]:
        """The latest runs, newest first."""
        ...

    async def changed(self, since: datetime) -> Sequence[RunRow]:
        """Runs that changed then or later, and those that are live."""
        ...

    async def find(self, prefix: str) -> str:
        """The id that a prefix (or "@", the latest) stands for. Raises NotFoundError or AmbiguousError."""
        ...

    def follow(self, run: str, after: int = 0) -> AsyncGenerator[Sequence[Heard], None]:
        """What happens in a run behind the event with that id, as much at a time as there is, or nothing; it has no
        end."""
        ...

    async def evals(self, limit: int = 100) -> Sequence[EvalLine]:
        """The latest evals, newest first; their arms are None until they are counted."""
        ...

    async def eval_state(self, prefix: str) -> EvalState:
        """The eval that a prefix (or "@", the latest) stands for. Raises NotFoundError or AmbiguousError."""
        ...

    async def eval_pair(self, first: str, second: str) -> EvalPair:
        """Two evals item by item. Raises UsageError where they have none in common."""
        ...

    async def service_state(self) -> ServiceState:
        """The service at a glance. Raises DaemonError where there is none."""
        ...

    async def ask(self, run: str, control: Control) -> None:
        """Pause, resume, stop or cancel a run. Raises UsageError where that cannot be."""
        ...

    async def budget(self, run: str, limits: Limits) -> None:
        """What a live run may spend from now on; limits that are None stay as they are."""
        ...

    async def hold(self, run: str) -> float:
        """Let the next critique of a live run wait before it is used, so that it can be edited; seconds at the most."""
        ...

    async def edit(self, run: str, rewrite: Rewrite) -> None:
        """Put another critique in the place of one that waits. Whether it was in time is told as an event."""
        ...

    async def remove(self, run: str) -> None:
        """Delete a run for good. Raises UsageError where it is live."""
        ...

    async def fork(self, run: str, chain: int, iteration: int, edit: Mapping[str, str]) -> str:
        """Begin a new run where one was, with its critique, gradient or answer changed; its id."""
        ...

    async def sketched(self, sketch: Sketch) -> Mapping[str, Any]:
        """The body for `plan` and `submit` that a form describes. Raises FormError where a field is wrong."""
        ...

    async def plan(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a new run would do and cost, as `POST /v1/plans` tells it; nothing is spent."""
        ...

    async def submit(self, body: Mapping[str, Any]) -> str:
        """Hand in a new run, as `POST /v1/runs` takes it; its id."""
        ...
