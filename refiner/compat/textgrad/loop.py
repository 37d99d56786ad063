"""Calls without `await`: one event loop in the background, also beside the one that a notebook runs."""

import atexit
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, ExitStack
from functools import cache
from typing import TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

T = TypeVar("T")
_open = ExitStack()


@cache
def _portal() -> BlockingPortal:
    atexit.register(_open.close)
    return _open.enter_context(start_blocking_portal(name="refiner.compat"))


def run(call: Callable[..., Awaitable[T]], *arguments: object) -> T:
    """The result of an async call; what interrupts the wait, such as Ctrl-C, cancels it."""
    future = _portal().start_task_soon(call, *arguments)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


def opened(resource: AbstractAsyncContextManager[T]) -> T:
    """What an async context manager opens, closed when the program ends."""
    return _open.enter_context(_portal().wrap_async_context_manager(resource))
