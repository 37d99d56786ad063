"""The strongest sandbox that works on this machine, proven by using it."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Literal

from refiner.domain.errors import SandboxError
from refiner.sandbox import bubblewrap, interpreter, landlock, off
from refiner.sandbox.breakouts import prove
from refiner.sandbox.limits import Limits
from refiner.sandbox.pool import WorkerPool

Layer = Literal["auto", "bubblewrap", "landlock", "off"]


async def sandbox_of(
    layer: Layer = "auto", limits: Limits | None = None, *, python: str | None = None, most: int | None = None
) -> WorkerPool:
    """The sandbox of a layer, the strongest that works for "auto"; never "off" unless that is the layer named.

    python: the interpreter that programs run in, see `interpreter.find`. most: cells of each kind at a time, by default
    two for each core. Raises SandboxError, with what to change, where none works. Close it with `aclose`.
    """
    limits = limits or Limits()
    found = interpreter.find(python)
    if layer == "off":
        return off.sandbox(found, limits, most=most)
    refused: dict[str, str] = {}
    for name, make in _layers(layer, found, limits, most):
        try:
            sandbox = make()
        except SandboxError as error:
            refused[name] = str(error)
            continue
        try:
            await prove(sandbox)
        except SandboxError as error:
            await sandbox.aclose()
            refused.setdefault(name, str(error))
        except BaseException:
            await sandbox.aclose()
            raise
        else:
            return sandbox
    if layer != "landlock":
        refused.setdefault("bubblewrap", "")
    reasons = "; ".join(
        f"{name}: {bubblewrap.advice(reason) if name == 'bubblewrap' else reason}" for name, reason in refused.items()
    )
    raise SandboxError(f"no sandbox works here, and code is never run without one: {reasons}")


def _layers(
    layer: Layer, found: interpreter.Interpreter, limits: Limits, most: int | None
) -> Iterator[tuple[str, Callable[[], WorkerPool]]]:
    """The ways to make a sandbox of the layer, best first."""
    if layer in ("auto", "bubblewrap"):
        for binary in bubblewrap.binaries():
            yield "bubblewrap", partial(bubblewrap.sandbox, binary, found, limits, most=most)
    if layer in ("auto", "landlock"):
        yield "landlock", partial(landlock.sandbox, found, limits, most=most)
