"""Ids of runs and evals: short, so that people can say them."""

import secrets
from collections.abc import Iterator
from itertools import count

LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's: none of them is taken for another."""


def drawn(kind: str) -> Iterator[str]:
    """Ids by chance, such as r-7f3k; each is longer than the one before, which may have been given."""
    for length in count(4):
        yield f"{kind}-" + "".join(secrets.choice(LETTERS) for _ in range(length))
