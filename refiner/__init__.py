"""refiner makes one answer better while it is being asked for.

result = await refiner.solve("…", model="openai:gpt-4o", max_cost=0.05)
result = refiner.solve_sync("…")
print(result.answer, result.stop, result.usage)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from refiner.app.drive import drive
    from refiner.app.engine import engine
    from refiner.app.solve import solve, solve_sync
    from refiner.autograd.backward import backward
    from refiner.autograd.concurrent import batch, scope
    from refiner.autograd.constraints import Constraint
    from refiner.autograd.losses import Check, CheckerLoss, NumericLoss, TextLoss
    from refiner.autograd.operations import FormattedModelCall, Function, ModelCall, concatenate, total
    from refiner.autograd.optimizer import TextualGradientDescent
    from refiner.autograd.variable import Variable, image
    from refiner.domain.errors import RefinerError
    from refiner.domain.result import Result
    from refiner.domain.run import Stop
    from refiner.modules.ask import Ask, Example
    from refiner.modules.compiler import Compiler
    from refiner.modules.module import Module
    from refiner.run.engines import RunEngine
    from refiner.strategies.descent import descend

_HOMES = {
    "drive": "refiner.app.drive",
    "engine": "refiner.app.engine",
    "solve": "refiner.app.solve",
    "solve_sync": "refiner.app.solve",
    "Variable": "refiner.autograd.variable",
    "image": "refiner.autograd.variable",
    "backward": "refiner.autograd.backward",
    "batch": "refiner.autograd.concurrent",
    "scope": "refiner.autograd.concurrent",
    "Check": "refiner.autograd.losses",
    "CheckerLoss": "refiner.autograd.losses",
    "NumericLoss": "refiner.autograd.losses",
    "TextLoss": "refiner.autograd.losses",
    "ModelCall": "refiner.autograd.operations",
    "FormattedModelCall": "refiner.autograd.operations",
    "Function": "refiner.autograd.operations",
    "concatenate": "refiner.autograd.operations",
    "total": "refiner.autograd.operations",
    "Constraint": "refiner.autograd.constraints",
    "TextualGradientDescent": "refiner.autograd.optimizer",
    "descend": "refiner.strategies.descent",
    "Ask": "refiner.modules.ask",
    "Example": "refiner.modules.ask",
    "Compiler": "refiner.modules.compiler",
    "Module": "refiner.modules.module",
    "RefinerError": "refiner.domain.errors",
    "Result": "refiner.domain.result",
    "RunEngine": "refiner.run.engines",
    "Stop": "refiner.domain.run",
}

__all__ = [
    "Ask",
    "Check",
    "CheckerLoss",
    "Compiler",
    "Constraint",
    "Example",
    "FormattedModelCall",
    "Function",
    "ModelCall",
    "Module",
    "NumericLoss",
    "RefinerError",
    "Result",
    "RunEngine",
    "Stop",
    "TextLoss",
    "TextualGradientDescent",
    "Variable",
    "backward",
    "batch",
    "concatenate",
    "descend",
    "drive",
    "engine",
    "image",
    "scope",
    "solve",
    "solve_sync",
    "total",
]


def __getattr__(name: str) -> Any:
    # Names are imported when they are first used, so that `import refiner` costs nothing.
    if name not in _HOMES:
        raise AttributeError(f"module refiner has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
