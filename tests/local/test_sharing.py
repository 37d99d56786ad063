"""One server for all processes: started once, found by all, gone when nobody needs it, started again when it died."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from subprocess import PIPE

import anyio
import pytest

from refiner.domain.errors import ProviderError, StoreError, UsageError
from refiner.providers.local.settings import LocalSettings
from refiner.providers.local.sharing import Lease
from refiner.providers.local.weights import Model, sha256_of
from tests.local.processes import SMALL, Watched, server_of, servers_below

pytestmark = pytest.mark.anyio


@contextlib.asynccontextmanager
async def taken(model: Path, runtime: Path, settings: LocalSettings = SMALL) -> AsyncIterator[Lease]:
    lease = Lease(model, runtime, settings)
    await lease.take()
    try:
        yield lease
    finally:
        lease.release()


def sockets(folder: Path) -> list[Path]:
    return list(folder.rglob("*.sock"))


def environment_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


def resident_of(pid: int) -> dict[str, int]:
    """Bytes of memory of each kind that the process occupies."""
    lines = [line.split() for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("Rss")]
    return {name.rstrip(":"): int(kib) * 1024 for name, kib, _ in lines}


def weight_of(path: Path) -> int:
    return path.stat().st_size


def line_of(client: subprocess.Popen[bytes]) -> bytes:
    assert client.stdout is not None
    return client.stdout.readline()


async def test_processes_that_start_at_once_share_a_server_and_it_ends_with_the_last(
    model: Model, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "tests.local.processes", str(model.path), str(tmp_path)]
    clients = [
        subprocess.Popen(command, bufsize=0, stdin=PIPE, stdout=PIPE, stderr=PIPE)  # noqa: ASYNC220
        for _ in range(3)
    ]
    said = set()
    for client in clients:
        await anyio.to_thread.run_sync(line_of, client)
    for client in clients:
        assert client.stdin is not None
        client.stdin.write(b"go\n")
    for client in clients:
        said.add(await anyio.to_thread.run_sync(line_of, client))
    server = Watched(int(said.pop()))
    assert not said
    assert servers_below(tmp_path) == [server.pid]
    assert os.getsid(server.pid) != os.getsid(0)
    for client in clients[:2]:
        client.kill()
        client.communicate()
    assert server_of(*sockets(tmp_path)) == server.pid
    output = clients[2].communicate()
    await server.ended()
    assert output == (b"", b"")
    assert sockets(tmp_path) == []


async def test_the_time_starts_anew_with_each_user(model: Model, tmp_path: Path) -> None:
    patient = LocalSettings(context=512, parallel=1, keep_alive=3)
    async with taken(model.path, tmp_path, patient) as first:
        server = Watched(server_of(first.socket))
    sha256_of(model.path)  # takes long enough for the server to have begun to count
    async with taken(model.path, tmp_path, patient) as second:
        assert server_of(second.socket) == server.pid
    released = anyio.current_time()
    await server.ended()
    assert anyio.current_time() - released > patient.keep_alive - 0.01


async def test_users_that_come_and_go_never_find_a_server_that_is_ending(model: Model, tmp_path: Path) -> None:
    for _ in range(4):
        async with taken(model.path, tmp_path) as lease:
            assert server_of(lease.socket)


async def test_a_server_that_was_killed_is_started_again(model: Model, tmp_path: Path) -> None:
    async with taken(model.path, tmp_path) as lease:
        server = Watched(server_of(lease.socket))
        os.kill(server.pid, signal.SIGKILL)
        await server.ended()
        assert not lease.alive
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(lease.serve)
        again = Watched(server_of(lease.socket))
        assert again.pid != server.pid
    await again.ended()


async def test_other_settings_are_another_server(model: Model, tmp_path: Path) -> None:
    sockets = {
        Lease(model.path, tmp_path, settings).socket
        for settings in (SMALL, LocalSettings(), LocalSettings(speculation=False), LocalSettings(keep_alive=99))
    }
    assert len(sockets) == 3


async def test_a_deep_folder_gets_a_short_socket_elsewhere(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tempfile.TemporaryDirectory() as elsewhere:
        monkeypatch.setattr(tempfile, "tempdir", elsewhere)
        deep, other = (Lease(model.path, tmp_path / (letter * 100), SMALL).socket for letter in "do")
        assert deep != other
        assert deep.parent.stat().st_mode & 0o777 == 0o700
        assert len(os.fsencode(deep)) < 108


@pytest.mark.parametrize("mode", [0o755, 0o770])
async def test_a_folder_that_others_can_enter_is_refused(model: Model, tmp_path: Path, mode: int) -> None:
    (tmp_path / "local").mkdir()
    (tmp_path / "local").chmod(mode)
    with pytest.raises(StoreError, match="not yours alone"):
        Lease(model.path, tmp_path, SMALL)


async def test_weights_that_cannot_be_loaded_are_refused_with_the_reason(model: Model, tmp_path: Path) -> None:
    cut = tmp_path / "cut.gguf"
    with model.path.open("rb") as whole:
        cut.write_bytes(whole.read(20_000_000))
    lease = Lease(cut, tmp_path, SMALL)
    with pytest.raises(UsageError, match=r"cannot load .*cut\.gguf: .*corrupted or incomplete$"):
        await lease.take()
    assert not lease.alive


async def test_a_server_that_dies_before_it_can_say_why_is_an_error_of_the_provider(
    model: Model, tmp_path: Path
) -> None:
    lease = Lease(model.path, tmp_path, SMALL)
    lease.socket.with_suffix(".log").mkdir()
    with pytest.raises(ProviderError, match=r"died while it started; see .*\.log") as caught:
        await lease.take()
    assert caught.value.retryable


async def test_a_starter_that_is_cancelled_leaves_a_server_that_others_can_use(model: Model, tmp_path: Path) -> None:
    with anyio.move_on_after(0.3):
        await Lease(model.path, tmp_path, SMALL).take()
    async with taken(model.path, tmp_path) as lease:
        assert lease.alive


async def test_the_weights_are_mapped_not_copied(model: Model, tmp_path: Path) -> None:
    async with taken(model.path, tmp_path) as lease:
        resident = resident_of(server_of(lease.socket))
    size = weight_of(model.path)
    assert resident["RssFile"] > size * 0.9
    assert resident["RssAnon"] < size * 0.5


async def test_the_server_sees_no_key(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "sk-secret")
    async with taken(model.path, tmp_path) as lease:
        environ = environment_of(server_of(lease.socket))
    assert b"PATH=" in environ
    assert b"sk-secret" not in environ
