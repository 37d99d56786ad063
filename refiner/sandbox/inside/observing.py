"""Expressions about a program, and what each comes to."""

import json
import re
from typing import Any

from .peer import Gone
from .report import cut
from .seat import Seat

_LONGEST = 2000
_MOST_STEPS = 1000


def run(seat: Seat) -> None:
    """Evaluate each, and send out its canonical form as it comes."""
    space: dict[str, Any] = {}
    if seat.gone is None:
        space = seat.given()
        space[seat.module.partition(".")[0]] = __import__(seat.module)
    for call in seat.told["calls"]:
        seat.report.starts(call, None)
        try:
            found = _observed(call, space) if seat.gone is None else _why_not(seat.gone)
        except Gone:
            return
        seat.say(b"C" + json.dumps({"name": call, "outcome": "passed", "detail": found}).encode())


def _why_not(gone: Gone) -> str:
    """What every call of a program raises that cannot be imported."""
    return "raises " + gone.detail.strip().rpartition("\n")[2].partition(":")[0]


def _observed(call: str, space: dict[str, Any]) -> str:
    try:
        return cut(canonical(eval(call, space)), _LONGEST)
    except Gone:
        raise
    except BaseException as error:  # noqa: BLE001
        return f"raises {type(error).__name__}"


def canonical(value: Any, depth: int = 0) -> str:
    """A text that is the same for values that are: sets and mappings in order, iterators by what they give."""
    kind = type(value)
    if depth > 50:
        return "…"
    if kind in (set, frozenset):
        return f"{kind.__name__}({', '.join(sorted(canonical(part, depth + 1) for part in value))})"
    if kind in (list, tuple):
        inner = ", ".join(canonical(part, depth + 1) for part in value)
        return f"[{inner}]" if kind is list else f"({inner}{',' * (len(value) == 1)})"
    if kind is dict:
        pairs = (f"{canonical(key, depth + 1)}: {canonical(part, depth + 1)}" for key, part in value.items())
        return f"{{{', '.join(sorted(pairs))}}}"
    if hasattr(kind, "__next__"):
        taken = [part for _, part in zip(range(_MOST_STEPS), value, strict=False)]
        return f"iterator({', '.join(canonical(part, depth + 1) for part in taken)})"
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))
