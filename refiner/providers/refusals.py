"""Parameters that a model refuses: seen in the words of its server, and said to the user."""

import re
from collections.abc import Container, Iterable

from refiner.domain.calls import Request
from refiner.providers.failures import error_of

_REFUSES = re.compile(
    r"(?i)unsupported|not support|unknown|unrecogni[sz]ed|unexpected|not permitted|not allowed|forbidden"
)
_SAID = ("temperature", "reasoning_effort", "prediction")


def refusal(status: int, body: object, names: Iterable[str]) -> str | None:
    """Which of the parameters an error reply refuses to take; None where it is an error of another kind."""
    error = error_of(body)
    said = str(error or body)
    if status not in (400, 422) or not _REFUSES.search(said):
        return None
    named = [name for name in names if re.search(rf"\b{name}\b", said)]
    return error["param"] if error.get("param") in named else next(iter(named), None)


def left_out(model: str, request: Request, refused: Container[str]) -> tuple[str, ...]:
    """A note on each parameter that was asked for and that the model does not take."""
    asked = [name for name in _SAID if getattr(request, name) is not None]
    return tuple(f"{model} takes no {name}: it was left out" for name in asked if name in refused)
