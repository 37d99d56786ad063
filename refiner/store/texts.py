"""Long texts: each is stored once, compressed, under the SHA-256 of its UTF-8."""

import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from importlib import import_module

from sqlalchemy import Connection, Executable, bindparam, insert, select

from refiner.store import tables

Put = Callable[[str], str]
"""Hands over a text to be stored, and gives its digest."""

_AT_ONCE = 10_000
"""Parameters of one statement: SQLite takes 32,766."""

_AMONG = tables.texts.c.digest.in_(bindparam("digests", expanding=True))
_KNOWN = select(tables.texts.c.digest).where(_AMONG)
_LOAD = select(tables.texts).where(_AMONG)
_ADD = insert(tables.texts)


@cache
def _use(dialect: str) -> Executable:
    # What one database needs is not loaded where it is another.
    sql = import_module(f"sqlalchemy.dialects.{dialect}")
    added: Executable = sql.insert(tables.uses).on_conflict_do_nothing()
    return added


class Texts:
    """Texts on their way into the database, and which run uses which."""

    def __init__(self) -> None:
        self._digests: dict[str, str] = {}
        self._uses: set[tuple[str, str]] = set()

    def put(self, run: str, text: str) -> str:
        digest = self._digests.get(text)
        if digest is None:
            digest = self._digests[text] = digest_of(text)
        self._uses.add((run, digest))
        return digest

    def save(self, connection: Connection) -> None:
        """Add what the database does not have yet; only that is compressed."""
        known = {
            digest
            for some in _some(list(self._digests.values()))
            for digest in connection.scalars(_KNOWN, {"digests": some})
        }
        new = [pack(digest, text) for text, digest in self._digests.items() if digest not in known]
        if new:
            connection.execute(_ADD, new)
        if self._uses:
            uses = [{"run_id": run, "digest": digest} for run, digest in sorted(self._uses)]
            connection.execute(_use(connection.dialect.name), uses)


def digest_of(text: str) -> str:
    return hashlib.sha256(_bytes(text)).hexdigest()


def pack(digest: str, text: str) -> dict[str, str | bytes]:
    """A row of `texts`."""
    plain = _bytes(text)
    small = zlib.compress(plain, level=6)
    encoding, body = ("zlib", small) if len(small) < len(plain) else ("plain", plain)
    return {"digest": digest, "encoding": encoding, "body": body}


def unpack(encoding: str, body: bytes) -> str:
    """The text of a row of `texts`. Raises ValueError or zlib.error where the row is damaged."""
    return (zlib.decompress(body) if encoding == "zlib" else body).decode("utf-8", "surrogatepass")


def load(connection: Connection, digests: Iterable[str]) -> dict[str, str]:
    """The texts of those digests that are in the database."""
    return {
        digest: unpack(encoding, body)
        for some in _some(sorted(set(digests)))
        for digest, encoding, body in connection.execute(_LOAD, {"digests": some})
    }


def _bytes(text: str) -> bytes:
    # A model's reply may be cut within a character, and a surrogate must come back as it was.
    return text.encode("utf-8", "surrogatepass")


def _some(digests: Sequence[str]) -> Iterator[Sequence[str]]:
    return (digests[start : start + _AT_ONCE] for start in range(0, len(digests), _AT_ONCE))
