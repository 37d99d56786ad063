"""refiner makes one answer better while it is being asked for.

result = await refiner.solve("…", model="openai:gpt-4o", max_cost=0.05)
result = refiner.solve_sync("…")
print(result.answer, result.stop, result.usage)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from refiner.app.engine import engine
    from refiner.app.solve import solve, solve_sync
    from refiner.autograd.backward import backward
    from refiner.autograd.losses import CheckerLoss, TextLoss
    from refiner.autograd.operations import FormattedModelCall, Function, ModelCall, concatenate, total
    from refiner.autograd.optimizer import TextualGradientDescent
    from refiner.autograd.variable import Variable
    from refiner.domain.errors import RefinerError
    from refiner.domain.result import Result

_HOMES = {
    "engine": "refiner.app.engine",
    "solve": "refiner.app.solve",
    "solve_sync": "refiner.app.solve",
    "Variable": "refiner.autograd.variable",
    "backward": "refiner.autograd.backward",
    "TextLoss": "refiner.autograd.losses",
    "CheckerLoss": "refiner.autograd.losses",
    "ModelCall": "refiner.autograd.operations",
    "FormattedModelCall": "refiner.autograd.operations",
    "Function": "refiner.autograd.operations",
    "concatenate": "refiner.autograd.operations",
    "total": "refiner.autograd.operations",
    "TextualGradientDescent": "refiner.autograd.optimizer",
    "RefinerError": "refiner.domain.errors",
    "Result": "refiner.domain.result",
}

__all__ = [
    "CheckerLoss",
    "FormattedModelCall",
    "Function",
    "ModelCall",
    "RefinerError",
    "Result",
    "TextLoss",
    "TextualGradientDescent",
    "Variable",
    "backward",
    "concatenate",
    "engine",
    "solve",
    "solve_sync",
    "total",
]


def __getattr__(name: str) -> Any:
    # Names are imported when they are first used, so that `import refiner` costs nothing.
    if name not in _HOMES:
        raise AttributeError(f"module refiner has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
