"""The layer "off": no isolation, resource limits alone; only because the user asked for it."""

import tempfile

from refiner.sandbox.interpreter import Interpreter
from refiner.sandbox.limits import Limits
from refiner.sandbox.pool import Role, WorkerPool
from refiner.sandbox.stale import sweep
from refiner.sandbox.worker import Launch
from refiner.sandbox.zygote import INSIDE, environment, preload


def sandbox(interpreter: Interpreter, limits: Limits, *, most: int | None = None) -> WorkerPool:
    """Cells that are plain processes of the user's own."""

    sweep(tempfile.gettempdir())

    def launch(role: Role, folder: str | None) -> Launch:
        scratch = tempfile.gettempdir()
        config = {
            "layer": "off",
            "packages": list(interpreter.packages),
            "project": folder,
            "preload": preload(role),
            "scratch": scratch,
            "uid": None,
        }
        argv = [interpreter.path, "-I", "-S", "-B", str(INSIDE / "zygote.py")]
        return Launch(argv, environment(interpreter, scratch), config)

    return WorkerPool("off", launch, limits, most=most)
