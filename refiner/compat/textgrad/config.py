"""The default engine of a context: a thread, a task or a notebook, never the whole process."""

from typing import Any

from refiner.compat.textgrad.engine import default, get_engine
from refiner.domain.errors import UsageError


def set_backward_engine(engine: Any, override: bool = False, **settings: Any) -> None:
    """The engine that objects take which are made from here on without one. Raises UsageError for a second one."""
    if default.get() is not None and not override:
        raise UsageError("this context has a backward engine: pass override=True to set another")
    default.set(get_engine(engine, **settings) if isinstance(engine, str) else engine)
