"""Events, and lines of runs, as plain values, for the database and the service, read back."""

from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast

from refiner.domain.events import Delta, Event, Heard, Recorded
from refiner.domain.service import ServiceState
from refiner.domain.store import RunRow

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")


def recorded(told: dict[str, Any]) -> Recorded:
    """The event of a line that `Recorded.to_json` made. Raises ValueError where it is none."""
    rest = {name: value for name, value in told.items() if name not in ("id", "run", "at")}
    return Recorded(told["id"], told["run"], datetime.fromisoformat(told["at"]), adapter().validate_python(rest))


def heard(kind: str, told: dict[str, Any]) -> Heard:
    """What an event stream of the service tells under that name."""
    return Delta(told["run"], told["key"], told["text"]) if kind == "delta" else recorded(told)


def row_of(told: dict[str, Any]) -> RunRow:
    """The line of a run that `RunRow.to_json` made. Raises ValueError, KeyError or TypeError where it is none."""
    task, lead = told["task"], told["lead"]
    same = ("id", "status", "live", "strategy", "model", "iterations", "calls", "tokens", "cost_usd", "stop", "best")
    return RunRow(
        **{name: told[name] for name in same},
        title=task["title"],
        kind=task["kind"],
        lead=lead and (lead[0], lead[1]),
        created_at=datetime.fromisoformat(told["created_at"]),
        updated_at=datetime.fromisoformat(told["updated_at"]),
    )


def service_json(state: ServiceState) -> dict[str, Any]:
    """The service at a glance, as plain values."""
    told: dict[str, Any] = _service().dump_python(state, mode="json")
    return told


def service_of(told: dict[str, Any]) -> ServiceState:
    """What `service_json` made, read back. Raises ValueError where it is something else."""
    return _service().validate_python(told)


def written(kind: Any, value: object) -> bytes:
    """A value of that type as JSON."""
    return _of(kind).dump_json(value)


def read(kind: type[T], told: Any) -> T:
    """The value whose JSON `written` made. Raises ValueError where it is something else."""
    value: T = _of(cast("Any", kind)).validate_python(told)
    return value


@cache
def _of(kind: Any) -> "TypeAdapter[Any]":
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


@cache
def _service() -> "TypeAdapter[ServiceState]":
    from pydantic import TypeAdapter

    return TypeAdapter(ServiceState)


@cache
def adapter() -> "TypeAdapter[Event]":
    """What turns any event into plain values and back."""
    from pydantic import Field, TypeAdapter

    return TypeAdapter(Annotated[Event, Field(discriminator="type")])
