"""TextGrad's optimizers, made by refiner's."""

from collections.abc import Sequence
from typing import Any

from refiner.autograd import optimizer
from refiner.autograd.optimizer import Update
from refiner.compat.textgrad.engine import engine_of
from refiner.compat.textgrad.loop import run
from refiner.compat.textgrad.variable import Variable


class TextualGradientDescent:
    """Textual gradient descent; `core` is refiner's optimizer, and options are its own, such as validation.

    new_variable_tags has no effect: refiner's prompts ask for tags of their own, and a rewrite without any is read too.
    """

    def __init__(
        self,
        parameters: Sequence[Variable],
        verbose: int = 0,
        engine: Any = None,
        constraints: Sequence[str] | None = None,
        new_variable_tags: Sequence[str] | None = None,
        *,
        in_context_examples: Sequence[str] | None = None,
        gradient_memory: int = 0,
        **options: Any,
    ) -> None:
        self.core = optimizer.TextualGradientDescent(
            parameters,
            engine_of(engine),
            constraints or (),
            in_context_examples or (),
            memory=gradient_memory,
            **options,
        )
        self.parameters = parameters
        self.verbose = verbose

    def zero_grad(self) -> None:
        self.core.zero_grad()

    def step(self) -> list[Update]:
        """Rewrite each parameter that has gradients; one whose rewrite has a problem stays as it is."""
        updates = run(self.core.step)
        if self.verbose:
            for update in updates:
                print(update.problem or update.new)  # noqa: T201 - what verbose asks for
        return updates


def TextualGradientDescentwithMomentum(  # noqa: N802 - TextGrad's name
    engine: Any, parameters: Sequence[Variable], momentum_window: int = 0, **options: Any
) -> TextualGradientDescent:
    """Descent that sees the values of earlier steps."""
    return TextualGradientDescent(parameters, engine=engine, momentum=momentum_window, **options)


TGD = TextualGradientDescent
