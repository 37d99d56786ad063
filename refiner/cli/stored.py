"""The store for a command that only looks into it, or leaves a word."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from refiner.cli.options import Context
from refiner.cli.solve import in_loop

if TYPE_CHECKING:
    from refiner.store.sql import SqlStore

T = TypeVar("T")


def stored(context: Context, work: Callable[["SqlStore"], Awaitable[T]]) -> T:
    """Open the store, do something with it, and close it again."""
    from refiner.app.world import store_of

    async def opened() -> T:
        store = await store_of(context.paths)
        try:
            return await work(store)
        finally:
            await store.aclose()

    return in_loop(opened)
