"""Texts of models made harmless before a terminal sees them."""

import re

# Zero-width joiners stay: Persian, Indic scripts and emoji need them, and they move no cursor.
_HARMFUL = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # a whole sequence, or its parameters would stay behind as text
    r"|\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
    r"|[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def clean(text: str) -> str:
    """The text without escape, control and bidirectional characters; newlines and tabs stay."""
    return _SURROGATE.sub("\ufffd", _HARMFUL.sub("", text))


def line(text: str) -> str:
    """The text, made harmless, on one line."""
    return " ".join(clean(text).split())
