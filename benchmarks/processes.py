"""The other processes of a benchmark: servers, clients, and TextGrad in an environment of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TEXTGRAD = "textgrad==0.1.8"
_VENV = ROOT / ".venv-textgrad"


@contextmanager
def home() -> Iterator[dict[str, str]]:
    """An environment in which refiner and TextGrad write to a temporary folder, and neither asks another server."""
    with TemporaryDirectory(prefix="refiner-bench-") as folder:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("REFINER_", "OPENAI_"))}
        own = {"REFINER_HOME": folder, "TEXTGRAD_LOG_DIR": f"{folder}/logs", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
        yield kept | own


@contextmanager
def server(module: str, *arguments: object, env: dict[str, str]) -> Iterator[str]:
    """The base URL that a server program prints once it listens; it is ended at the end."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=env) as program:
        assert program.stdout
        try:
            url = program.stdout.readline().strip()
            if not url:
                raise SystemExit(f"{module} did not start")
            yield url
        finally:
            program.kill()


def answer(module: str, *arguments: object, env: dict[str, str]) -> dict[str, Any]:
    """What a client program prints: one object of JSON."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=env, check=True)
    said: dict[str, Any] = json.loads(done.stdout)
    return said


class TextGrad:
    """TextGrad as a process: items go in and solutions come out, a line of JSON each."""

    def __init__(self, program: "subprocess.Popen[str]") -> None:
        assert program.stdin
        assert program.stdout
        self._in, self._out = program.stdin, program.stdout

    def send(self, item: dict[str, Any]) -> None:
        print(json.dumps(item), file=self._in, flush=True)

    def receive(self) -> dict[str, Any]:
        """The next solution, in the order in which they are done."""
        said: dict[str, Any] = json.loads(self._out.readline())
        return said

    def close(self) -> dict[str, Any]:
        """No more items: what the process used, once it has solved those it has."""
        self._in.close()
        return self.receive()


@contextmanager
def textgrad(url: str, *, threads: int, env: dict[str, str]) -> Iterator[TextGrad]:
    """TextGrad with so many threads against the server at an OpenAI-compatible base URL."""
    runner = Path(__file__).with_name("textgrad_runner.py")
    command: list[str | Path] = [_installed(), runner, url, str(threads)]
    folder = env["REFINER_HOME"]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=env | {"XDG_CACHE_HOME": folder},
    ) as program:
        client = TextGrad(program)
        try:
            client.receive()  # its imports take seconds, and are no part of any figure
            yield client
        finally:
            program.kill()


def _installed() -> Path:
    """The Python that has TextGrad, installed on the first call."""
    python = _VENV / "bin" / "python"
    if not (_VENV / "installed").exists():
        print(f"installing {TEXTGRAD} into {_VENV.name}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", _VENV], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", TEXTGRAD], check=True)
        (_VENV / "installed").touch()
    return python
