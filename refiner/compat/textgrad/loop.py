"""Calls without `await`: one event loop in the background, also beside the one that a notebook runs."""

import atexit
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, ExitStack
from functools import cache
from threading import Lock
from typing import TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

T = TypeVar("T")
_open = ExitStack()
_starting = Lock()


@cache
def _started() -> BlockingPortal:
    portal = _open.enter_context(start_blocking_portal(name="refiner.compat"))
    # What still runs when the program ends is cancelled, not waited for.
    _open.callback(portal.call, portal.stop, True)
    atexit.register(_open.close)
    return portal


def _portal() -> BlockingPortal:
    # Two threads that come first together must not get a loop each: engines belong to the one that opened them.
    with _starting:
        return _started()


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
