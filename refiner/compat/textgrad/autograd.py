"""TextGrad's operations: calls to models and functions, made by refiner's."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from string import Formatter
from typing import Any

from refiner.autograd.operations import FormattedModelCall, Function, ModelCall, total
from refiner.compat.textgrad.engine import engine_of
from refiner.compat.textgrad.loop import run
from refiner.compat.textgrad.variable import Aggregation, Variable
from refiner.domain.errors import UsageError

_RESPONSE = "response from the language model"


class Module(ABC):
    """A part of a program with parameters."""

    def parameters(self) -> list[Variable]:
        return []

    def named_parameters(self) -> Iterator[tuple[str, Variable]]:
        return ((parameter.role, parameter) for parameter in self.parameters())

    def zero_grad(self) -> None:
        for parameter in self.parameters():
            parameter.zero_grad()

    @abstractmethod
    def forward(self, *args: Any, **kwargs: Any) -> Any: ...

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.forward(*args, **kwargs)


class LLMCall:
    """A model's reply to one variable."""

    def __init__(self, engine: Any = None, system_prompt: Variable | None = None) -> None:
        self.engine = engine_of(engine)
        self.system_prompt = system_prompt

    def __call__(self, input_variable: Variable, response_role_description: str | None = None) -> Variable:
        return self._reply(response_role_description, input_variable)

    def _reply(self, role: str | None, *inputs: Variable) -> Variable:
        return Variable.of(run(ModelCall(self.engine, self.system_prompt, role or _RESPONSE), *inputs))


class MultimodalLLMCall(LLMCall):
    """A model's reply to texts and images in their order."""

    def __call__(  # type: ignore[override]
        self, inputs: Sequence[Variable], response_role_description: str | None = None
    ) -> Variable:
        return self._reply(response_role_description, *inputs)


class FormattedLLMCall:
    """A model's reply to a format string whose fields are variables."""

    def __init__(
        self, engine: Any, format_string: str, fields: Iterable[str], system_prompt: Variable | None = None
    ) -> None:
        self.engine = engine_of(engine)
        self.fields = tuple(fields)
        self.format_string = _unescaped(format_string, self.fields)
        self.system_prompt = system_prompt

    def __call__(self, inputs: Mapping[str, Variable], response_role_description: str | None = None) -> Variable:
        if set(inputs) != set(self.fields):
            raise UsageError(f"the call takes {', '.join(self.fields)}, not {', '.join(inputs)}")
        role = response_role_description or _RESPONSE
        return Variable.of(run(FormattedModelCall(self.engine, self.format_string, self.system_prompt, role), inputs))


class OrderedFieldsMultimodalLLMCall(FormattedLLMCall):
    """A model's reply to texts and images under their names, in the order of the fields."""

    def __init__(self, engine: Any, fields: Sequence[str], system_prompt: Variable | None = None) -> None:
        super().__init__(engine, "\n".join(f"{name}: {{{name}}}" for name in fields), fields, system_prompt)


class StringBasedFunction:
    """A Python function of variables, with its purpose in words."""

    def __init__(self, fn: Callable[..., object], function_purpose: str) -> None:
        self.fn = fn
        self.function_purpose = function_purpose

    def __call__(self, inputs: Mapping[str, Variable], response_role_description: str | None = None) -> Variable:
        # TextGrad's functions take the variables themselves.
        function = Function(lambda *_: str(self.fn(**inputs)), self.function_purpose)
        role = response_role_description or f"output of a function with the purpose: {self.function_purpose}"
        return Variable.of(replace(function, role=role)(*inputs.values()))


def llm_call(
    input_variable: Variable,
    engine: Any = None,
    response_role_description: str | None = None,
    system_prompt: Variable | None = None,
) -> Variable:
    """A model's reply to one variable."""
    return LLMCall(engine, system_prompt)(input_variable, response_role_description)


def formatted_llm_call(
    inputs: Mapping[str, Variable],
    response_role_description: str | None,
    engine: Any,
    format_string: str,
    fields: Iterable[str],
    system_prompt: Variable | None = None,
) -> Variable:
    """A model's reply to a format string whose fields are variables."""
    return FormattedLLMCall(engine, format_string, fields, system_prompt)(inputs, response_role_description)


def sum(variables: Sequence[Variable]) -> Variable:  # noqa: A001 - TextGrad's name
    """Losses together; each is walked backward as if it stood alone, once."""
    made = Variable.of(total(variables))
    made.role = f"a combination of the following: {', '.join(dict.fromkeys(one.role for one in variables))}"
    return made


def aggregate(variables: Sequence[Variable]) -> Variable:
    """Losses together; a variable that hears of several of them gets a summary of what they say."""
    made = sum(variables)
    made.operation = Aggregation()
    return made


def _unescaped(template: str, fields: Sequence[str]) -> str:
    """A format string as refiner's template, in which no brace is doubled; one that is none stays as it is."""
    try:
        parts = [*Formatter().parse(template)]
    except ValueError:
        return template
    if any(name is not None and name not in fields for _, name, _, _ in parts):
        return template
    return "".join(text + ("" if name is None else f"{{{name}}}") for text, name, _, _ in parts)


__all__ = [
    "FormattedLLMCall",
    "LLMCall",
    "Module",
    "MultimodalLLMCall",
    "OrderedFieldsMultimodalLLMCall",
    "StringBasedFunction",
    "aggregate",
    "formatted_llm_call",
    "llm_call",
    "sum",
]
