"""What the graph's public names are given, checked where it is given. Each raises UsageError in one line."""

from collections.abc import Awaitable, Iterable
from inspect import isawaitable
from math import isnan
from numbers import Real
from typing import Any, TypeVar

from refiner.domain.errors import UsageError

T = TypeVar("T")
_SHOWN = 40


def checked(good: object, name: str, given: object, wanted: str) -> None:
    if not good:
        plain = isinstance(given, str | int | float | None)
        told = repr(given) if plain else f"of type {type(given).__name__}"
        told = told if len(told) <= _SHOWN else f"{told[:_SHOWN]}…"
        raise UsageError(f"{name} is {told}: give {wanted}")


def texts(**given: object) -> None:
    for name, one in given.items():
        checked(isinstance(one, str), name, one, "a text")


def functions(**given: object) -> None:
    for name, one in given.items():
        checked(callable(one), name, one, "a function")


def counts(least: int, **given: int | None) -> None:
    for name, one in given.items():
        checked(one is None or (isinstance(one, int) and one >= least), name, one, f"a whole number from {least} on")


def several(kind: type[T] | tuple[type[Any], ...], wanted: str, name: str, given: Iterable[T]) -> tuple[T, ...]:
    """All that was given, as a tuple; a bare text is no list of texts."""
    checked(isinstance(given, Iterable) and not isinstance(given, str), name, given, f"a list of {wanted}")
    found = tuple(given)
    for one in found:
        checked(isinstance(one, kind), f"one of {name}", one, f"a list of {wanted}")
    return found


def engine(given: object) -> None:
    wanted = "an opened one: `async with refiner.engine(…) as engine`"
    checked(hasattr(given, "complete"), "engine", given, wanted)


async def awaited(name: str, coming: Awaitable[T]) -> T:
    """What a function of the user's comes to, if it is async."""
    checked(isawaitable(coming), f"what {name} came to", coming, "an async function")
    return await coming


def number(name: str, found: float) -> float:
    """What a function of the user's came to, if it is a number."""
    checked(isinstance(found, Real) and not isnan(found), f"what {name} came to", found, "a function to a number")
    return found
