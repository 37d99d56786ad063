"""The life of the service: one at a socket, runs adopted at its start, a quiet end."""

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import anyio
import uvicorn
from anyio.abc import TaskStatus
from uvicorn.protocols.http.h11_impl import H11Protocol

from refiner.app.world import Lines, opened
from refiner.autograd.concurrent import bare_errors
from refiner.config.sources import Loaded
from refiner.domain.errors import RefinerError
from refiner.service.api import Api
from refiner.service.chores import House
from refiner.service.cluster import check, cluster
from refiner.service.door import Door
from refiner.service.feed import Feed
from refiner.service.glance import Glance
from refiner.service.listening import alone, listening, peer_uid
from refiner.service.logs import Logged, configure, log
from refiner.service.queue import Local
from refiner.service.schedule import clock_of
from refiner.service.systemd import READY, STOPPING, handed, notify, reloading
from refiner.service.tcp import bound, token_file
from refiner.service.watch import Watch
from refiner.service.workers import Workers
from refiner.store.sql import SqlStore

GRACE = 10.0
"""Seconds that calls under way get when the service is told to end."""

GOODBYE = 2.0
"""Seconds that clients get after that to hear the last of it."""


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.leaving = anyio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the service's own; uvicorn would take and raise them again."""
        yield

    async def main_loop(self) -> None:
        """Tick once a second, as its headers want, and not ten times: an idle service sleeps."""
        counter = 0
        while not await self.on_tick(counter):
            counter += 10
            with anyio.move_on_after(1.0):
                await self.leaving.wait()

    def leave(self) -> None:
        """Take no more connections, and end once the last is gone."""
        self.should_exit = True
        self.leaving.set()


class _OwnUser(H11Protocol):
    def connection_made(self, transport: Any) -> None:
        """Only the service's own user, and root, are answered."""
        sock = transport.get_extra_info("socket")
        uid = peer_uid(sock) if sock is not None and sock.family.name == "AF_UNIX" else None
        if uid is not None and uid not in (os.geteuid(), 0):
            transport.abort()
        else:
            super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.transport is not None:
            super().connection_lost(exc)


async def serve(
    loaded: Loaded,
    reload: Callable[[], Loaded],
    *,
    listen: str | None = None,
    shared: bool = False,
) -> None:
    """Serve until SIGTERM or Ctrl-C; a second signal ends it at once, SIGHUP reloads.

    reload reads the configuration again, and raises RefinerError where it cannot be used: the old one stays in force.
    listen: HOST:PORT to listen at too. shared: its runs are those of several hosts. Raises DaemonBusyError where
    another service is running, DaemonError where the socket cannot be made, UsageError for an address or a token that
    is none, StoreError.
    """
    settings, paths = loaded.settings, loaded.paths
    own, lines, closing = handed(), Lines(settings, paths), anyio.Event()
    with alone(paths.socket):
        async with opened(settings, paths, lines=lines) as world:
            store = world.store
            assert isinstance(store, SqlStore)  # noqa: S101
            feed = Feed(store)
            queue = cluster(store, paths.database) if shared else Local()
            workers = Workers(world, store, feed, settings.service.runs, queue)
            clock = clock_of(House(loaded, store, workers))
            watch = Watch(loaded, world, store, workers, feed)

            def again() -> None:
                nonlocal loaded
                notify(reloading())
                try:
                    loaded = reload()
                except RefinerError as error:
                    log.error("the settings stay as they were", error=str(error))
                else:
                    lines.reset(loaded.settings)
                    workers.most = loaded.settings.service.runs
                    workers.wake()
                    clock.reset(loaded)
                    watch.reset(loaded)
                    log.info("settings read again")
                notify(READY)

            with listening(paths.socket, own) as sock, bound(listen, paths.state) if listen else nullcontext() as tcp:
                glance = Glance(store, workers, lines, clock)
                api = Api(store, workers, feed, watch, closing.set, lambda: loaded, glance)
                server = _server(Logged(Door(api.app(), tcp)))
                if tcp:
                    log.info("listening over TCP", at=tcp.name, token=str(token_file(paths.state)))
                async with anyio.create_task_group() as beside:
                    await beside.start(_signals, closing, again)
                    beside.start_soon(_ending, closing, workers, server)
                    beside.start_soon(clock.run, closing)
                    beside.start_soon(watch.run)
                    beside.start_soon(workers.hear)
                    async with anyio.create_task_group() as serving:
                        serving.start_soon(feed.run)
                        serving.start_soon(_answering, server, [sock, tcp.sock] if tcp else [sock])
                        notify(READY)
                        try:
                            await workers.run()
                        finally:
                            feed.close()  # after the last words of the runs
                            server.leave()
                        await _hung_up(server)
                    await watch.aclose()
                    beside.cancel_scope.cancel()
                await store.checkpoint()


def _server(app: Logged) -> _Server:
    config = uvicorn.Config(
        app,
        http=_OwnUser,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        timeout_graceful_shutdown=round(GRACE + 2 * GOODBYE),
    )
    return _Server(config)


async def _answering(server: uvicorn.Server, sockets: list[socket.socket]) -> None:
    with anyio.CancelScope(shield=True):
        await server.serve(sockets)


async def _hung_up(server: _Server) -> None:
    """Let the readers hear goodbye, and leave those who are still sending."""
    with anyio.move_on_after(GOODBYE):
        while server.server_state.connections:  # noqa: ASYNC110 (uvicorn tells nobody when they are gone)
            await anyio.sleep(0.02)
    for connection in list(server.server_state.connections):
        if connection.transport:
            connection.transport.abort()


async def _ending(closing: anyio.Event, workers: Workers, server: _Server) -> None:
    await closing.wait()
    notify(STOPPING)
    server.leave()
    workers.close(GRACE)


async def _signals(
    closing: anyio.Event, again: Callable[[], None], *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as received:
        task_status.started()
        async for number in received:
            if number == signal.SIGHUP:
                again()
            elif closing.is_set():
                os._exit(128 + number)
            else:
                closing.set()


def run(
    loaded: Loaded,
    reload: Callable[[], Loaded],
    listen: str | None,
    *,
    shared: bool = False,
    quiet: bool = False,
    verbose: bool = False,
) -> None:
    """Serve in the foreground until it is told to end."""
    configure(loaded.settings, quiet=quiet, verbose=verbose)
    if shared:
        check(loaded.paths.database)
    with bare_errors():
        asyncio.run(serve(loaded, reload, listen=listen, shared=shared))
