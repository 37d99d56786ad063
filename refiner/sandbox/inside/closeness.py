"""How near a value came to the one that was expected."""

import difflib
import math
from collections import Counter, OrderedDict, defaultdict, deque
from decimal import Decimal
from fractions import Fraction
from typing import Any

LONGEST = 300
"""Characters, or members of a container, that are looked at."""

_NUMBERS = (int, float, complex, Decimal, Fraction)
_LINES = (list, tuple, deque)
_SETS = (set, frozenset)
_MAPS = (dict, OrderedDict, Counter, defaultdict)


def closeness(actual: Any, expected: Any, depth: int = 0) -> float:
    """From 0, nothing alike or of another type, to 1, the same."""
    one, other = type(actual), type(expected)
    if one in _NUMBERS and other in _NUMBERS:
        return _numbers(actual, expected)
    if depth > 6 or not (one is other or (one in _SETS and other in _SETS) or (one in _MAPS and other in _MAPS)):
        return 0.0
    if one in (str, bytes):
        return _text(actual, expected)
    if one in _LINES:
        return _lines(list(actual), list(expected), depth)
    if one in _SETS:
        return len(actual & expected) / len(actual | expected) if actual or expected else 1.0
    if one in _MAPS:
        keys = list(dict.fromkeys([*expected, *actual]))[:LONGEST]
        near = (closeness(actual[key], expected[key], depth + 1) for key in keys if key in actual and key in expected)
        return sum(near) / len(keys) if keys else 1.0
    return float(one in (bool, type(None), range) and actual == expected)


def _numbers(actual: Any, expected: Any) -> float:
    try:
        if actual == expected:
            return 1.0
        apart = abs(complex(actual) - complex(expected)) / max(abs(complex(actual)), abs(complex(expected)))
    except (ArithmeticError, ValueError):
        return 0.0
    return max(0.0, 1.0 - apart) if math.isfinite(apart) else 0.0


def _text(actual: Any, expected: Any) -> float:
    if actual == expected:
        return 1.0
    return difflib.SequenceMatcher(None, actual[:LONGEST], expected[:LONGEST], autojunk=False).ratio()


def _lines(actual: list[Any], expected: list[Any], depth: int) -> float:
    if len(actual) == len(expected):
        pairs = list(zip(actual, expected, strict=True))[:LONGEST]
        return sum(closeness(one, other, depth + 1) for one, other in pairs) / len(pairs) if pairs else 1.0
    one, other = ([_repr(part) for part in parts[:LONGEST]] for parts in (actual, expected))
    return difflib.SequenceMatcher(None, one, other, autojunk=False).ratio()


def _repr(value: Any) -> str:
    try:
        return (
            repr(value)[:LONGEST] if type(value).__module__ in ("builtins", "collections") else object.__repr__(value)
        )
    except Exception:  # noqa: BLE001
        return ""
