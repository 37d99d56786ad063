"""Evals in the database: an eval, its items, and the runs and outcomes of their parts."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from hashlib import blake2b
from itertools import groupby
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Connection, and_, delete, desc, func, insert, select, update

from refiner.domain.calls import Usage
from refiner.domain.errors import AmbiguousError, NotFoundError, StoreError, UsageError
from refiner.domain.evals import Answered, Batch, EvalRow, EvalStatus, ItemRow, Part, Results, Sitting
from refiner.domain.events import RunStarted
from refiner.domain.run import Plan
from refiner.domain.task import Kind
from refiner.store import ids, journal, tables
from refiner.store.owners import Owners
from refiner.store.removal import SOME, delete_run
from refiner.store.writer import Writer

Place = tuple[int, int, Part]
"""Which part of an eval: the item's number, the replicate, and what is run of it."""


class EvalStore:
    """Evals over a store's connections. An eval belongs to the process that runs it, as its runs do."""

    def __init__(
        self,
        writer: Writer,
        read: Callable[[Callable[[Connection], Any]], Awaitable[Any]],
        owners: Owners,
        me: str,
    ) -> None:
        self._writer, self._read, self._owners, self._me = writer, read, owners, me

    async def create(
        self, datasets: Sequence[str], options: Mapping[str, Any], items: Sequence[ItemRow], *, key: str | None = None
    ) -> str:
        """Store a new eval that this process holds; its id. key: it is made once, and nobody holds it."""

        def work(connection: Connection) -> str:
            now, name = datetime.now(UTC), _new_id(connection) if key is None else _id_of(key)
            if key is None:
                self._owners.hold(self._me, connection)
            elif connection.scalar(select(tables.evals.c.id).where(tables.evals.c.id == name)):
                return name
            row: dict[str, Any] = {
                "id": name,
                "datasets": json.dumps(list(datasets)),
                "options": json.dumps(dict(options)),
            }
            row |= {"status": "running", "why": "", "owner": None if key else self._me, "seconds": 0.0}
            connection.execute(insert(tables.evals), row | {"created_at": now, "updated_at": now})
            rows = [_item_row(name, number, item) for number, item in enumerate(items)]
            connection.execute(insert(tables.eval_items), rows)
            return name

        return await self._writer.do(work)

    async def claim(self, name: str, options: Mapping[str, Any]) -> None:
        """Take an eval that no living process holds, and its options from now on. Raises UsageError where one does."""
        of = tables.evals.c

        def work(connection: Connection) -> None:
            self._refuse_living(connection, name)
            self._owners.hold(self._me, connection)
            taken = {"owner": self._me, "status": "running", "why": "", "options": json.dumps(dict(options))}
            connection.execute(update(tables.evals).where(of.id == name).values(taken))

        await self._writer.do(work)

    async def begin(self, name: str, place: Place, run: str, plan: Plan) -> None:
        """Make the run of a part, which this process holds; nothing is spent yet."""
        of, now = tables.sittings.c, datetime.now(UTC)
        placed = _placed(name, place)
        row = tables.Runs(id=run, owner=self._me, epoch=1, created_at=now, updated_at=now).model_dump()

        def work(connection: Connection) -> None:
            connection.execute(insert(tables.runs), row)
            journal.write(connection, self._me, [journal.Append(run, now, [RunStarted(plan)])])
            # A run that was removed meanwhile leaves its place behind.
            connection.execute(
                delete(tables.sittings).where(*(of[column] == value for column, value in placed.items()))
            )
            connection.execute(insert(tables.sittings), placed | {"run_id": run, "outcome": None})

        await self._writer.do(work)

    async def finish(self, name: str, place: Place, sitting: Sitting, seconds: float) -> None:
        """Keep what a part came to; seconds: what the eval has been at work."""
        of = tables.sittings.c
        outcome = json.dumps(_adapter().dump_python(replace(sitting, run=None), mode="json", exclude_defaults=True))
        where = [of[column] == value for column, value in _placed(name, place).items()]

        def work(connection: Connection) -> None:
            connection.execute(update(tables.sittings).where(*where).values(outcome=outcome))
            self._changed(connection, name, {"seconds": seconds})

        await self._writer.do(work)

    async def sent(self, name: str, batch: Batch) -> None:
        """Keep that a provider has a batch of the eval's calls."""
        row: dict[str, Any] = {"id": batch.id, "eval_id": name, "model": batch.model, "base_url": batch.base_url}
        row |= {"calls": json.dumps(sorted(batch.calls)), "sent_at": datetime.now(UTC)}
        await self._writer.do(lambda connection: connection.execute(insert(tables.eval_batches), row).rowcount)

    async def batches(self, name: str) -> list[Batch]:
        """The batches that were sent for an eval, oldest first."""
        of = tables.eval_batches.c
        query = select(tables.eval_batches).where(of.eval_id == name).order_by(of.sent_at)
        rows = await self._read(lambda connection: connection.execute(query).all())
        return [Batch(row.id, row.model, row.base_url, frozenset(json.loads(row.calls))) for row in rows]

    async def end(self, name: str, status: EvalStatus, why: str, seconds: float) -> None:
        """Let go of an eval. why: what ended it early."""
        ended = {"status": status, "why": why, "seconds": seconds, "owner": None}
        await self._writer.do(lambda connection: self._changed(connection, name, ended))

    async def remove(self, name: str) -> None:
        """Delete an eval with its runs. Raises UsageError where a living process holds it."""
        of, at = tables.evals.c, tables.sittings.c
        own = select(at.run_id).where(at.eval_id == name, at.run_id.is_not(None)).limit(SOME)

        def work(connection: Connection) -> bool:
            self._refuse_living(connection, name)
            runs = connection.scalars(own).all()
            for run in runs:
                delete_run(connection, run)
            if not runs:
                connection.execute(delete(tables.evals).where(of.id == name))
            return bool(runs)

        while await self._writer.do(work):
            pass

    async def rows(self, limit: int = 100) -> list[EvalRow]:
        """The latest evals, newest first; one whose process died is "interrupted"."""
        found: list[EvalRow] = await self._read(lambda connection: self._rows(connection, limit))
        return found

    async def row(self, name: str) -> EvalRow:
        """The line of one. Raises NotFoundError."""
        found: EvalRow = await self._read(lambda connection: self._row(connection, name))
        return found

    async def find(self, prefix: str) -> str:
        """The id that a prefix (or "@", the latest) stands for. Raises NotFoundError or AmbiguousError."""
        found: str = await self._read(lambda connection: _find(connection, prefix))
        return found

    async def results(self, name: str) -> Results:
        """An eval with all of its items, as far as it has come. Raises NotFoundError."""

        def query(connection: Connection) -> Results:
            row = self._row(connection, name)
            return Results(row, tuple(_answered(connection, row)))

        found: Results = await self._read(query)
        return found

    def _refuse_living(self, connection: Connection, name: str) -> None:
        owner = connection.scalar(select(tables.evals.c.owner).where(tables.evals.c.id == name))
        if owner is not None and owner in self._owners.living({owner}, connection):
            raise UsageError(f"eval {name} is being worked on: wait for it, or end it with Ctrl-C")

    def _changed(self, connection: Connection, name: str, values: Mapping[str, Any]) -> None:
        of = tables.evals.c
        changed = update(tables.evals).where(of.id == name, of.owner == self._me)
        if not connection.execute(changed.values({**values, "updated_at": datetime.now(UTC)})).rowcount:
            raise StoreError(f"eval {name} is not held by this process any more")

    def _row(self, connection: Connection, name: str) -> EvalRow:
        if not (rows := self._rows(connection, 1, name)):
            raise NotFoundError(f"no eval is called {name!r}: `refiner eval list` shows those there are")
        return rows[0]

    def _rows(self, connection: Connection, limit: int, name: str | None = None) -> list[EvalRow]:
        of = tables.evals.c
        query = select(tables.evals).order_by(desc(of.created_at), desc(of.id)).limit(limit)
        rows = connection.execute(query if name is None else query.where(of.id == name)).all()
        living = self._owners.living({row.owner for row in rows if row.owner}, connection)
        return [_eval_row(connection, row, live=row.owner in living) for row in rows]


@cache
def _adapter() -> TypeAdapter[Sitting]:
    return TypeAdapter(Sitting)


def _new_id(connection: Connection) -> str:
    of = tables.evals.c.id
    return next(name for name in ids.drawn("e") if connection.scalar(select(of).where(of == name)) is None)


def _id_of(key: str) -> str:
    digest = int.from_bytes(blake2b(key.encode(), digest_size=8).digest())
    return "e-" + "".join(ids.LETTERS[digest >> 5 * at & 31] for at in range(8))


def _placed(name: str, place: Place) -> dict[str, Any]:
    number, replicate, part = place
    return {"eval_id": name, "number": number, "replicate": replicate, "part": part}


def _item_row(name: str, number: int, item: ItemRow) -> dict[str, Any]:
    row = {"eval_id": name, "number": number, "item": item.id, "digest": item.digest}
    return row | {"kind": item.kind.value, "subject": item.subject, "gold": item.gold}


def _find(connection: Connection, prefix: str) -> str:
    of = tables.evals.c
    query = select(of.id).order_by(desc(of.created_at), desc(of.id))
    if prefix == "@":
        found = connection.scalars(query.limit(1)).all()
    else:
        known = prefix and prefix.isprintable()
        found = (
            connection.scalars(query.where(of.id.startswith(prefix.lower(), autoescape=True))).all() if known else []
        )
    if prefix.lower() in found:
        return prefix.lower()
    if not found:
        raise NotFoundError(f"no eval is called {prefix!r}: `refiner eval list` shows those there are")
    if len(found) > 1:
        raise AmbiguousError(f"{prefix!r} stands for {len(found)} evals ({', '.join(found[:3])}): write more of the id")
    return str(found[0])


def _eval_row(connection: Connection, row: Any, *, live: bool) -> EvalRow:
    runs, of = tables.runs.c, tables.sittings.c
    summed = (runs.calls, runs.input_tokens, runs.output_tokens, runs.cost_usd)
    query = select(*(func.sum(column) for column in summed), func.count(runs.id), func.count(runs.cost_usd))
    joined = query.join_from(tables.sittings, tables.runs, of.run_id == runs.id).where(of.eval_id == row.id)
    *sums, every, priced = connection.execute(joined).one()
    calls, read, written, cost = (each or 0 for each in sums)
    items = connection.scalar(select(func.count()).where(tables.eval_items.c.eval_id == row.id))
    over = connection.scalar(select(func.count(of.outcome)).where(of.eval_id == row.id))
    return EvalRow(
        id=row.id,
        datasets=tuple(json.loads(row.datasets)),
        options=json.loads(row.options),
        status=row.status if live or row.status != "running" else "interrupted",
        created_at=row.created_at,
        updated_at=row.updated_at,
        items=items or 0,
        over=over or 0,
        usage=Usage(int(calls), int(read), 0, int(written), cost_usd=float(cost) if every == priced else None),
        seconds=row.seconds,
        why=row.why,
    )


def _answered(connection: Connection, row: EvalRow) -> list[Answered]:
    of, at = tables.eval_items.c, tables.sittings.c
    joined = and_(of.eval_id == at.eval_id, of.number == at.number)
    query = select(tables.eval_items, at.replicate, at.part, at.run_id, at.outcome)
    query = query.join_from(tables.eval_items, tables.sittings, joined, isouter=True).where(of.eval_id == row.id)
    found = []
    for _, rows in groupby(connection.execute(query.order_by(of.number)), key=lambda each: each.number):
        every = list(rows)
        first = every[0]
        item = ItemRow(first.item, Kind(first.kind), first.gold, first.subject, first.digest)
        parts = {(each.replicate, each.part): _sitting(each) for each in every if each.part is not None}
        found += [
            Answered(item, number, parts.get((number, "refined")), parts.get((number, "samples")))
            for number in range(row.replicates)
        ]
    return found


def _sitting(row: Any) -> Sitting:
    told = _adapter().validate_python(json.loads(row.outcome)) if row.outcome else Sitting()
    return replace(told, run=row.run_id)
