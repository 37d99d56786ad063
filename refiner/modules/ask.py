"""The basic module: a model asked by an instruction, after a few demonstrations."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from refiner.autograd import arguments
from refiner.autograd.operations import ModelCall
from refiner.autograd.prompt import Engine
from refiner.autograd.variable import Variable, topological
from refiner.modules.module import Module


@dataclass(frozen=True, slots=True)
class Example:
    """What a module may be asked, and the answer that is wanted."""

    input: str
    answer: str

    def __post_init__(self) -> None:
        arguments.texts(input=self.input, answer=self.answer)

    @property
    def variable(self) -> Variable:
        """The input as a variable that no feedback changes."""
        return Variable(self.input, "input", requires_grad=False)

    def __str__(self) -> str:
        # Without tags: small models repeat those in their replies.
        return f"To the input\n{self.input}\nthe reply is\n{self.answer}"


class Ask(Module):
    """A model's reply to variables, under an instruction that feedback may change.

    role: of the reply. demonstrations: examples that the model sees before what it is asked; compiling chooses them,
    feedback leaves them alone.
    """

    def __init__(
        self, engine: Engine, instruction: str, role: str = "answer", demonstrations: Iterable[Example] = ()
    ) -> None:
        arguments.engine(engine)
        self.engine = engine
        self.role = role
        self.instruction = Variable(instruction, f"instruction to the model that writes the {role}")
        self.demonstrations = Variable("", f"demonstrations of the {role}", requires_grad=False)
        self.show(demonstrations)

    def show(self, examples: Iterable[Example]) -> None:
        """Put these examples in the place of its demonstrations."""
        shown = arguments.several(Example, "examples", "demonstrations", examples)
        self.demonstrations.value = "\n\n".join(map(str, shown))

    async def __call__(self, *inputs: Variable) -> Variable:
        shown = (self.demonstrations,) if self.demonstrations.value else ()
        return await ModelCall(self.engine, self.instruction, self.role)(*shown, *inputs)

    def made(self, output: Variable) -> Iterator[Example]:
        """What it was asked on the way to an output, and what it answered."""
        for node in topological(output):
            if isinstance(node.operation, ModelCall) and node.operation.system is self.instruction:
                asked = [source for source in node.sources[1:] if source is not self.demonstrations]
                yield Example("\n\n".join(source.value for source in asked), node.value)
