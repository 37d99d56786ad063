"""Figures as users write them: `5k` tokens, `10m`, `$0.25`, and back."""

import re

from refiner.domain.errors import UsageError

THOUSANDS = {"": 1, "k": 1_000, "m": 1_000_000}
SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}
_MOST = 1e15
"""Below it every whole number is exact as a float."""
_FIGURE = re.compile(r"\$?(\d+(?:\.\d+)?(?:e[+-]?\d+)?|\.\d+)([a-z]*)", re.IGNORECASE)


def count(text: str) -> int:
    """A whole number, such as `12`, `5k` or `1.5m`. Raises UsageError."""
    number = _scaled(text, THOUSANDS, "a whole number, such as 12 or 5k")
    if not number.is_integer():
        raise UsageError(f'"{text}" is not a whole number')
    return int(number)


def seconds(text: str) -> float:
    """Seconds of a time, such as `90s`, `10m`, `1.5h` or plain `90`. Raises UsageError."""
    return _scaled(text, SECONDS, "a time, such as 90s, 10m or 1h")


def decimal(text: str) -> float:
    """A number, such as `0.25` or `$0.25`. Raises UsageError."""
    return _scaled(text, {"": 1}, "a number, such as 0.25")


def show_count(number: int) -> str:
    """`count` read backwards: 5000 is `5k`."""
    return _shown(number, {"m": 1_000_000, "k": 1_000})


def show_seconds(number: float) -> str:
    """`seconds` read backwards: 600 is `10m`."""
    return _shown(number, {"h": 3600, "m": 60}) if number % 60 == 0 else f"{show(number)}s"


def show(number: float) -> str:
    """A number in its shortest form that reads back to the same."""
    return str(int(number)) if float(number).is_integer() else repr(float(number))


def _scaled(text: str, units: dict[str, int], expected: str) -> float:
    match = _FIGURE.fullmatch(text)
    if match is None or match[2].lower() not in units:
        raise UsageError(f'"{text}" is not {expected}')
    number = float(match[1]) * units[match[2].lower()]
    if number > _MOST:
        raise UsageError(f'"{text}" is too large')
    return number


def _shown(number: float, units: dict[str, int]) -> str:
    unit = next((unit for unit, size in units.items() if number and number % size == 0), "")
    return f"{show(number / units.get(unit, 1))}{unit}"
