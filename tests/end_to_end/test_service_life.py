"""The service's doors, its start by systemd, its reload and its end."""

import http.client
import json
import os
import select
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from refiner.client import client as client_module
from refiner.client.client import Client
from refiner.domain.errors import DaemonError, VersionError
from refiner.sandbox.usage import below
from tests.end_to_end.conftest import Start
from tests.end_to_end.model import MENDED, QUESTION, mending
from tests.end_to_end.program import Program
from tests.scripted import STALL, Scripted

SPIN = "```python\ndef add(a, b):\n    while True:\n        pass\n```"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def asked(port: int, host: str, authorization: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Host": host, **({"Authorization": authorization} if authorization else {})}
    connection.request("GET", "/version", headers=headers)
    reply = connection.getresponse()
    told = json.loads(reply.read())
    connection.close()
    return reply.status, told


def test_tcp_opens_to_its_token_and_its_own_names(refiner: Program, client: Client, start: Start) -> None:
    port = free_port()
    service = start("--listen", f"127.0.0.1:{port}")
    file = refiner.home / "state" / "token"
    token = file.read_text().strip()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(token) > 40
    right = f"Bearer {token}"
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"LOCALHOST:{port}", f"[::1]:{port}"):
        assert asked(port, host, right)[0] == 200
    for status, host, authorization in (
        (401, f"127.0.0.1:{port}", ""),
        (401, f"127.0.0.1:{port}", f"Bearer {token[:-1]}"),
        (401, f"127.0.0.1:{port}", f"Bearer é{token}"),
        (401, f"127.0.0.1:{port}", f"Basic {token}"),
        (403, f"evil.example:{port}", right),
        (403, f"127.0.0.1:{port + 1}", right),
        (403, "127.0.0.1", right),
        (403, f"10.0.0.1:{port}", right),
        (400, "[", right),
        (400, f"me@localhost:{port}", right),
    ):
        got, told = asked(port, host, authorization)
        assert (got, told["error"]["kind"], set(told["error"])) == (status, "usage", {"kind", "message", "run"})
    assert client.get("/version")["api"] == 1
    lines = [Path(f"/proc/{service.pid}/{name}").read_bytes() for name in ("cmdline", "environ")]
    service.signal(signal.SIGTERM)
    done = service.wait()
    assert (done.code, f'"token": "{file}"' in done.err) == (0, True)
    assert [done.err.count(f'"status": {status}') for status in (400, 401, 403)] == [2, 4, 4]  # who knocks is logged
    written = [path.read_bytes() for path in refiner.home.rglob("*") if path.is_file() and path != file]
    assert not any(token.encode() in told for told in (*lines, *written, done.err.encode()))
    start("--listen", f"localhost:{port}")  # a name, and the same token
    assert asked(port, f"localhost:{port}", right)[0] == 200


def test_a_token_that_others_can_read_is_refused(refiner: Program) -> None:
    file = refiner.home / "state" / "token"
    file.parent.mkdir(parents=True)
    file.write_text("known to all\n")
    file.chmod(0o640)
    done = refiner("serve", "-q", "--listen", "127.0.0.1:0")
    assert (done.code, done.error) == (2, f"others can read {file}: remove it, and the service makes a new token")
    assert not (refiner.socket).exists()


def test_where_nothing_can_listen(refiner: Program, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.socket(socket.AF_UNIX) as foreign:
        foreign.bind(str(tmp_path / "own.sock"))
        foreign.listen()
        for code, words, where in (
            (2, "--listen takes HOST:PORT", ("--listen", "8123")),
            (2, "--listen takes HOST:PORT", ("--listen", "127.0.0.1:99999")),
            (6, "Address already in use; --listen", ("--listen", f"127.0.0.1:{taken.getsockname()[1]}")),
            (6, "cannot write to", Path("/proc/refiner/own.sock")),
            (6, "path too long", tmp_path / ("x" * 100) / "own.sock"),
            (6, "something else listens", tmp_path / "own.sock"),
        ):
            moved = refiner.under(REFINER_SOCKET=str(where)) if isinstance(where, Path) else refiner
            done = moved("serve", "-q", *(() if isinstance(where, Path) else where))
            assert (done.code, words in done.error) == (code, True), done.err
        assert (tmp_path / "own.sock").exists()


def test_what_answers_may_be_something_else(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as foreign:
        foreign.bind(str(tmp_path / "s"))
        foreign.listen()

        def answer() -> None:
            with foreign.accept()[0] as asked:
                asked.recv(1 << 16)
                asked.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]")

        thread = Thread(target=answer)
        thread.start()
        with pytest.raises(DaemonError, match="is no service of refiner's"):
            Client(tmp_path / "s").get("/version")
        thread.join()


def test_a_program_of_another_version(client: Client, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    service = start()
    with pytest.raises(VersionError, match="speaks version 1 of its API, not 99"):  # before anything is done
        client.post("/v1/runs", {"input": "x"}, {"Refiner-Api": "99"})
    monkeypatch.setattr(client_module, "API", 2)
    with pytest.raises(VersionError, match="end it with `refiner daemon stop`"):
        client.get("/v1/runs")
    client.post("/v1/shutdown")
    assert service.wait().code == 0


def test_systemd_hands_the_socket_over_and_hears_how_it_goes(refiner: Program, client: Client, tmp_path: Path) -> None:
    path = refiner.socket
    path.parent.mkdir(parents=True)
    become = (
        "import os, sys; os.dup2(int(sys.argv[1]), 3); os.environ['LISTEN_PID'] = str(os.getpid());"
        "os.execv(sys.executable, [sys.executable, '-m', 'refiner', 'serve'])"
    )
    with socket.socket(socket.AF_UNIX) as ours, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        ours.bind(str(path))
        ours.listen()
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(60)
        environ = {**refiner.environ, "NOTIFY_SOCKET": str(tmp_path / "notify"), "LISTEN_FDS": "1"}
        command = [sys.executable, "-c", become, str(ours.fileno())]
        with subprocess.Popen(command, env=environ, cwd=tmp_path, pass_fds=[ours.fileno()]) as service:
            assert manager.recv(99) == b"READY=1"
            assert client.get("/version")["pid"] == service.pid
            service.send_signal(signal.SIGHUP)
            assert manager.recv(99).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
            assert manager.recv(99) == b"READY=1"
            service.send_signal(signal.SIGTERM)
            assert manager.recv(99) == b"STOPPING=1"
            assert service.wait() == 0
        with socket.socket(socket.AF_UNIX) as other:
            other.connect(str(path))  # systemd listens on


def test_the_units_are_such_as_systemd_takes(refiner: Program, tmp_path: Path) -> None:
    words = {"service": ("daemon", "unit"), "socket": ("daemon", "unit", "--socket")}
    home = tempfile.mkdtemp(prefix='a "home" of 100%')  # a socket's path may not be as long as those of tests are
    moved = refiner.under(REFINER_HOME=home)
    units = {kind: moved(*line).out for kind, line in words.items()}
    assert moved("daemon", "unit", "--json").json == {"unit": units["service"].rstrip("\n")}
    assert "\nType=notify\n" in units["service"]
    command = next(line for line in units["service"].splitlines() if line.startswith("ExecStart="))
    assert os.access(command.removeprefix("ExecStart=").split()[0], os.X_OK)
    assert f"\nListenStream={home.replace('%', '%%')}/runtime/refiner.sock\n" in units["socket"]
    for kind, unit in units.items():
        (tmp_path / f"refiner.{kind}").write_text(unit)
    try:
        verify = ["systemd-analyze", "verify", *(str(tmp_path / f"refiner.{kind}") for kind in units)]
        assert subprocess.run(verify, capture_output=True, text=True, check=True).stderr == ""
    except FileNotFoundError:
        pytest.skip("systemd-analyze is not here")
    finally:
        Path(home).rmdir()


def test_the_end_leaves_nothing_behind(refiner: Program, client: Client, scripted: Scripted, start: Start) -> None:
    """Streams hear the last words and goodbye, nobody is waited for, and sandboxes, socket and log are gone."""
    scripted.script = SPIN
    (refiner.folder / "buggy.py").write_text("def add(a, b):\n    return a - b\n")
    (refiner.folder / "test_buggy.py").write_text("from buggy import add\n\nassert add(1, 2) == 3\n")
    service = start("--set", "sandbox.wall=1")
    heard: list[str] = []
    reader = Thread(target=lambda: heard.extend(kind for kind, _ in client.events("/v1/events", 0)))
    reader.start()
    silent = socket.socket(socket.AF_UNIX)
    silent.connect(str(refiner.socket))
    silent.sendall(b"POST /v1/runs HTTP/1.1\r\nHost: refiner\r\nContent-Length: 9\r\n\r\n{")
    refiner("solve", "buggy.py", "--tests", "test_buggy.py", "--detach")
    while not (cells := below(service.pid, 0).pids):
        pass
    held = []
    for pid in cells:
        with suppress(ProcessLookupError):
            held.append(os.pidfd_open(pid))
    service.signal(signal.SIGTERM)
    done = service.wait()
    told = [json.loads(line)["event"] for line in done.err.splitlines()]
    assert (done.code, told) == (0, ["service started", "run begun", "run finished", "request", "service stopped"])
    silent.close()
    reader.join()
    assert (heard[-1], "dropped" in heard) == ("run-finished", False)
    for descriptor in held:
        assert select.select([descriptor], [], [], 30)[0]
        os.close(descriptor)
    assert not (refiner.socket).exists()
    assert [path.name for path in refiner.database.parent.iterdir()] == [refiner.database.name]


def test_a_second_signal_ends_it_at_once(refiner: Program, scripted: Scripted, start: Start) -> None:
    scripted.script = lambda request: STALL if request.number == 0 else mending(request)
    service = start()
    run = refiner("solve", QUESTION, "--detach").out.strip()
    while not scripted.asked:
        pass
    service.signal(signal.SIGTERM)
    while refiner.served:
        pass
    service.signal(signal.SIGTERM)
    assert service.wait().code == 143
    again = start()
    assert refiner("run", "watch", run, "--json").json["answer"] == MENDED
    again.signal(signal.SIGTERM)
    told = [json.loads(line)["event"] for line in again.wait().err.splitlines()]
    assert [event for event in told if event.startswith("run ")] == ["run resumed", "run finished"]


def test_sighup_reloads_what_can_be(refiner: Program, client: Client, scripted: Scripted, start: Start) -> None:
    """Two runs and one call at a time: the second run is driven, and asks, while the first one's call hangs."""
    file = refiner.home / "config" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text("[service]\nruns = 1\n[providers.openai]\nconcurrency = 1\n")
    service = start(terminal=True)
    scripted.script = lambda request: STALL if request.number == 0 else mending(request)
    first, second = (refiner("solve", QUESTION, "--detach").out.strip() for _ in range(2))
    while not scripted.asked:
        pass
    file.write_text('[service]\nruns = "none"\n')
    service.signal(signal.SIGHUP)
    service.said(f"{file}:2: ")
    file.write_text("[service]\nruns = 2\n[providers.openai]\nconcurrency = 2\n")
    service.signal(signal.SIGHUP)
    service.said("settings read again")
    assert refiner("run", "watch", second, "--json").json["answer"] == MENDED
    assert {row["id"]: row["status"] for row in client.get("/v1/runs")} == {first: "running", second: "done"}
    client.post(f"/v1/runs/{first}/cancel")
