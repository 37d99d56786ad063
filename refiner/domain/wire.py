"""Events as plain values, for the database and the service, read back."""

from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

from refiner.domain.events import Event, Recorded

if TYPE_CHECKING:
    from pydantic import TypeAdapter


def recorded(told: dict[str, Any]) -> Recorded:
    """The event of a line that `Recorded.to_json` made. Raises ValueError where it is none."""
    rest = {name: value for name, value in told.items() if name not in ("id", "run", "at")}
    return Recorded(told["id"], told["run"], datetime.fromisoformat(told["at"]), adapter().validate_python(rest))


@cache
def adapter() -> "TypeAdapter[Event]":
    """What turns any event into plain values and back."""
    from pydantic import Field, TypeAdapter

    return TypeAdapter(Annotated[Event, Field(discriminator="type")])
