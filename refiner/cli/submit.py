"""`solve --daemon` and `--detach`: the task goes to the service, and its answer comes back."""

import getpass
import uuid
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from refiner.cli import output
from refiner.cli.options import Context
from refiner.client.client import Client
from refiner.config.solving import SOLVING
from refiner.domain.errors import DaemonError, RefinerError, error_of
from refiner.domain.events import Heard, Recorded
from refiner.domain.result import Result, result_of
from refiner.domain.state import RunState, apply
from refiner.domain.wire import heard

if TYPE_CHECKING:
    from refiner.config.sources import Loaded
    from refiner.domain.task import Task


def submit(context: Context, loaded: "Loaded", task: "Task") -> str:
    """Hand a task to the service; the id of its run, which is committed by then."""
    every = loaded.settings.model_dump(mode="json")
    said = {name for name, where in loaded.sources.items() if where != "default"}
    settings = {key: _value(every, key) for key in said if key.partition(".")[0] in SOLVING}
    body: dict[str, Any] = {"input": task.text, "settings": settings, "submitter": getpass.getuser()}
    if task.program is not None or task.suite is not None:
        body |= {"program": task.program, "suite": task.suite and asdict(task.suite)}
    told = Client(context.paths.socket).post("/v1/runs", body, {"Idempotency-Key": str(uuid.uuid4())})
    return str(told["id"])


def follow(context: Context, run: str, tell: Callable[[Heard], None]) -> tuple[Result, RefinerError | None]:
    """Tell all that is heard of a run that the service drives; leaving does not end the run.

    Returns its result, and what it failed with.
    """
    state, last = RunState(), 0
    client = Client(context.paths.socket)
    while state.finished is None:
        for kind, told in client.events(f"/v1/events?run={run}", last):
            if kind == "dropped":
                continue
            what = heard(kind, told)
            if isinstance(what, Recorded):
                state, last = apply(state, what), what.id
            tell(what)
            if state.finished is not None:
                break
        else:
            client.get("/readyz")  # raises where the service is gone
    if state.plan is None:
        raise DaemonError(f"the service says nothing of run {run}")
    failed = state.finished.status == "failed"
    return result_of(run, state), error_of(state.finished.kind, state.finished.stop.detail) if failed else None


def say(context: Context, run: str) -> int:
    """Print a run's id alone."""
    if context.json:
        output.json_line({"id": run})
    else:
        output.text(run)
    return 0


def _value(every: dict[str, Any], key: str) -> Any:
    value: Any = every
    for name in key.split("."):
        value = value[name]
    return value
