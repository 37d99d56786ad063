"""Several coroutines at once: results in the order of the calls, and the first error as itself, not in a group."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import anyio

from refiner.autograd import arguments

S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Scope:
    prefix: str = ""
    seen: Counter[tuple[str, str]] = field(default_factory=Counter)

    def numbered(self, role: str, name: str) -> str:
        """The name within this scope, a number behind it when it comes again."""
        self.seen[role, name] += 1
        again = self.seen[role, name] - 1
        return f"{self.prefix}{name}~{again}" if again else f"{self.prefix}{name}"


_scope: ContextVar[_Scope | None] = ContextVar("scope", default=None)


@contextmanager
def scope(name: str) -> Iterator[None]:
    """Tell the calls made inside apart from those outside: their places begin with the name, and a place that comes
    again is numbered. Scopes nest, and one that comes again within another is numbered, too."""
    outer = _scope.get()
    token = _scope.set(_Scope(f"{outer.numbered('', name) if outer else name}/"))
    try:
        yield
    finally:
        _scope.reset(token)


def placed(role: str, place: str) -> str:
    """The place of a call within the scopes that it is made in; outside of all it stays as it is."""
    now = _scope.get()
    return now.numbered(role, place) if now else place


async def batch(branch: Callable[[S], Awaitable[T]], items: Iterable[S]) -> list[T]:
    """The branch run on every item, all at once, each in a scope of its own; results come in the items' order, and an
    error cancels the rest. How many calls are out at a time is the engine's `concurrency`."""

    arguments.functions(branch=branch)
    arguments.checked(isinstance(items, Iterable), "items", items, "a list")

    async def one(number: int, item: S) -> T:
        with scope(str(number)):
            return await arguments.awaited("branch", branch(item))

    return await gather(*(partial(one, number, item) for number, item in enumerate(items)))


@contextmanager
def bare_errors() -> Iterator[None]:
    """Raise the first error of a task group instead of the group."""
    try:
        yield
    except BaseExceptionGroup as errors:
        first: BaseException = errors
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from None


async def gather(*calls: Callable[[], Awaitable[T]]) -> list[T]:
    """Run the calls concurrently and return their results in order; an error cancels the rest."""
    if len(calls) == 1:
        return [await calls[0]()]
    results: dict[int, T] = {}

    async def one(index: int, call: Callable[[], Awaitable[T]]) -> None:
        results[index] = await call()

    with bare_errors():
        async with anyio.create_task_group() as group:
            for index, call in enumerate(calls):
                group.start_soon(one, index, call)
    return [results[index] for index in range(len(calls))]
