"""TextGrad's names over refiner's graph: its programs run with only the import line changed.

import refiner.compat.textgrad as tg
"""

from refiner.compat.textgrad import autograd, config, engine, loss, model, optimizer, tasks, variable
from refiner.compat.textgrad.autograd import aggregate, sum  # noqa: A004 - TextGrad's name
from refiner.compat.textgrad.config import set_backward_engine
from refiner.compat.textgrad.engine import EngineLM, get_engine
from refiner.compat.textgrad.loss import TextLoss
from refiner.compat.textgrad.model import BlackboxLLM
from refiner.compat.textgrad.optimizer import TGD, TextualGradientDescent
from refiner.compat.textgrad.variable import Variable

__all__ = [
    "TGD",
    "BlackboxLLM",
    "EngineLM",
    "TextLoss",
    "TextualGradientDescent",
    "Variable",
    "aggregate",
    "autograd",
    "config",
    "engine",
    "get_engine",
    "loss",
    "model",
    "optimizer",
    "set_backward_engine",
    "sum",
    "tasks",
    "variable",
]
