"""A data set as a user names it, and the part of it that is wanted."""

from collections.abc import Collection, Iterable, Iterator
from difflib import get_close_matches
from hashlib import blake2b
from heapq import nsmallest
from itertools import chain, islice
from pathlib import Path

from refiner.domain.errors import NotFoundError, UsageError
from refiner.domain.task import Kind
from refiner.evals.datasets import hub
from refiner.evals.datasets.fields import Fields, item_of
from refiner.evals.datasets.files import Row, rows
from refiner.evals.datasets.item import Item
from refiner.evals.datasets.named import NAMED, read


def items(source: str, fields: Fields | None = None, kind: Kind | None = None) -> Iterator[Item]:
    """The items of NAME:PATH or NAME (a published set), or of PATH (a file whose columns `fields` names), as they come.

    PATH may lie on a hub, as hub:OWNER/NAME. Raises UsageError, naming the line of a bad row, and NotFoundError; of a
    hub AuthError and ProviderError, too.
    """
    name, _, path = source.partition(":")
    if name in NAMED:
        read_in = chain.from_iterable(read(name, file) for file in _files(path)) if path else read(name, None)
        found = ((source, item) for item in read_in)
    elif source.startswith(hub.PREFIX) or (Path(source).suffix and not path) or Path(source).exists():
        names = fields or Fields()
        every = enumerate(_mapped(source, chain.from_iterable(map(rows, _files(source))), names), 1)
        found = ((where, item_of(row, where, number, names, kind)) for number, (where, row) in every)
    else:
        near = get_close_matches(name, NAMED, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(NAMED)}"
        raise NotFoundError(f'no data set is called "{name}", and no file: {hint}')
    return _some(distinct(found), source)


def _mapped(source: str, every: Iterable[Row], names: Fields) -> Iterator[Row]:
    """The rows. Raises UsageError at their end for a column that is mapped, and that none of them has."""
    missing, row = names.mapped, dict[str, object]()
    for where, row in every:
        missing -= row.keys()
        yield where, row
    if missing and row:
        raise UsageError(f'{source}: no row has a column "{min(missing)}"; there are {", ".join(row)}')


def _files(path: str) -> list[Path]:
    return hub.files(path) if path.startswith(hub.PREFIX) else [Path(path)]


def chosen(
    every: Iterable[Item],
    *,
    limit: int | None = None,
    sample: int | None = None,
    seed: int = 0,
    ids: Collection[str] = (),
) -> tuple[Item, ...]:
    """The wanted ones in their order: those with the ids, a sample of them by seed, the first so many.

    A sample does not depend on the order of the items, and a larger one of the same seed holds the smaller ones.
    Raises UsageError where nothing is left, and NotFoundError for an id that no item has.
    """
    if ids:
        wanted = set(ids)
        every = [item for item in every if item.id in wanted]
        if missing := sorted(wanted - {item.id for item in every}):
            raise NotFoundError(f"no item has the id {', '.join(missing[:5])}{', …' if missing[5:] else ''}")
    if sample is not None:
        placed = nsmallest(sample, enumerate(every), key=lambda pair: _rank(pair[1], seed))
        every = [item for _, item in sorted(placed, key=lambda pair: pair[0])]
    found = tuple(islice(every, limit))
    if not found:
        raise UsageError("the data set is empty: there is nothing to evaluate")
    return found


def _rank(item: Item, seed: int) -> bytes:
    return blake2b(f"{seed}/{item.id}".encode(), digest_size=8).digest()


def distinct(found: Iterable[tuple[str, Item]]) -> Iterator[Item]:
    """The items. Raises UsageError, naming where it is, for one with the id of another before it."""
    seen = set[str]()
    for where, item in found:
        if item.id in seen:
            raise UsageError(f'{where}: an item before it has the id "{item.id}", and ids have to differ')
        seen.add(item.id)
        yield item


def _some(found: Iterable[Item], source: str) -> Iterator[Item]:
    empty = True
    for item in found:
        empty = False
        yield item
    if empty:
        raise UsageError(f"{source}: the data set is empty: there is nothing to evaluate")
