"""What may be told of a call that failed: the kind and our own words; a provider's may repeat a prompt."""

import re

_STATUS = re.compile(r"\((\d{3})\)")
_KINDS = {
    "interrupted": "interrupted",
    "cannot reach": "unreachable",
    "was silent": "timeout",
    "broke off": "broken",
    "was cut off": "broken",
    "the credit of the key": "credit",
    "the prompt is too long": "too-long",
    "is the API?": "unreadable",
}


def own_words(error: str) -> str:
    """The part of an error that refiner wrote: the model's name, and what happened to the call."""
    return ": ".join(error.split(": ")[:2])


def kind_of(error: str) -> str:
    """One of a few words, or the provider's HTTP status, for an error of a call."""
    words = own_words(error)
    if status := _STATUS.search(words):
        return status[1]
    return next((kind for mark, kind in _KINDS.items() if mark in words), "other")
