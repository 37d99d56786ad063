"""One task of a data set, and how a set is told from another."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from json import dumps

from refiner.domain.task import Kind, Option


@dataclass(frozen=True, slots=True)
class Item:
    """A task and what is right.

    question: the text as it is asked, its options included. answer: the gold answer; a label where there are options.
    program: code that is to be mended. visible: tests that a strategy may see; tests: those that score, visible or not.
    entry_point: the function that tests call. subject: the part of the set that it belongs to, "" for none.
    where: the place that its code came from, to begin an error with; no part of its content.
    """

    id: str
    question: str
    kind: Kind
    options: tuple[Option, ...] = ()
    answer: str | None = None
    program: str | None = None
    visible: str = ""
    tests: str = ""
    entry_point: str | None = None
    subject: str = ""
    where: str = field(default="", compare=False)

    @property
    def digest(self) -> str:
        """What the item is known by: the same for the same content on any machine."""
        told = asdict(self)
        del told["where"]
        return blake2b(dumps(told, sort_keys=True).encode(), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The digest of each item by its id: enough to tell whether a set has changed, and how."""

    items: Mapping[str, str]

    @property
    def digest(self) -> str:
        return blake2b(dumps(dict(self.items), sort_keys=True).encode(), digest_size=8).hexdigest()


def fingerprint(items: Iterable[Item]) -> Fingerprint:
    return Fingerprint({item.id: item.digest for item in items})


def difference(before: Fingerprint, now: Fingerprint) -> str:
    """How a set has changed, such as "1 item changed (q7), 2 are new (q8, q9)"; "" where it has not."""
    changed = [name for name, digest in now.items.items() if before.items.get(name, digest) != digest]
    new = [name for name in now.items if name not in before.items]
    gone = [name for name in before.items if name not in now.items]
    told = ((changed, "changed"), (new, "new"), (gone, "gone"))
    return ", ".join(f"{len(ids):,} {word} ({_some(ids)})" for ids, word in told if ids)


def _some(ids: list[str]) -> str:
    return ", ".join(ids[:5]) + (", …" if len(ids) > 5 else "")
