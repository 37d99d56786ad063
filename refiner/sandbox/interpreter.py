"""The Python that programs run in, and the packages that they may import."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from refiner.domain.errors import SandboxError

_ASK = """
import json, sys
packages = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
print(json.dumps([sys.base_prefix, sys.version_info[:2], packages]))
"""
_OLDEST = (3, 11)


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A real interpreter (no shim, no virtual environment): its prefix, its program below it, and package folders."""

    prefix: str
    program: str
    packages: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        return f"{self.prefix}/{self.program}"

    @property
    def shared(self) -> bool:
        """Whether it needs its own libpython at run time."""
        return any(Path(self.prefix, "lib").glob("libpython3.*.so*"))


def find(python: str | None = None, environ: Mapping[str, str] = os.environ) -> Interpreter:
    """The interpreter of the user's environment: the one named, else $VIRTUAL_ENV's, else the running one.

    Raises SandboxError where it cannot be run, or is older than 3.11.
    """
    environment = environ.get("VIRTUAL_ENV")
    if python is None and environment and Path(environment).resolve() != Path(sys.prefix).resolve():
        python = str(Path(environment, "bin", "python"))
    if python is None:
        packages = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
        return _interpreter(sys.base_prefix, sys.version_info[:2], packages)
    try:
        told = subprocess.run([python, "-E", "-c", _ASK], capture_output=True, check=True, timeout=30, cwd="/")  # noqa: S603
        prefix, version, packages = json.loads(told.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise SandboxError(f"{python} does not run: set sandbox.python to a Python, or unset VIRTUAL_ENV") from error
    if tuple(version) < _OLDEST:
        raise SandboxError(f"{python} is older than Python 3.11: set sandbox.python to a newer one")
    return _interpreter(prefix, version, packages)


def open_to_all(path: str) -> bool:
    """Whether any user can reach and read it."""
    with suppress(OSError):
        place = Path(path).resolve(strict=True)
        ways = [parent.stat().st_mode & 0o001 for parent in place.parents]
        return all(ways) and bool(place.stat().st_mode & 0o004)
    return True


def _interpreter(prefix: str, version: "tuple[int, ...] | list[int]", packages: list[str]) -> Interpreter:
    root = Path(prefix).resolve()
    for name in ("python{}.{}".format(*version), "python3", "python"):
        if (root / "bin" / name).exists():
            # A link inside the prefix is followed; one that leads out of it could not be followed inside the sandbox.
            real = (root / "bin" / name).resolve()
            program = real.relative_to(root) if real.is_relative_to(root) else Path("bin", name)
            return Interpreter(str(root), str(program), tuple(path for path in packages if Path(path).is_dir()))
    raise SandboxError(f"no Python below {prefix}: set sandbox.python to one")
