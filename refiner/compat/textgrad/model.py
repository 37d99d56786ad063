"""TextGrad's model with a system prompt that can be improved."""

from typing import Any

from refiner.compat.textgrad.autograd import LLMCall, Module
from refiner.compat.textgrad.variable import Variable


class BlackboxLLM(Module):
    """A model under a system prompt, which is its one parameter."""

    def __init__(self, engine: Any = None, system_prompt: Variable | str | None = None) -> None:
        if isinstance(system_prompt, str):
            role = "system prompt for the language model"
            system_prompt = Variable(system_prompt, requires_grad=False, role_description=role)
        self.system_prompt = system_prompt
        self.llm_call = LLMCall(engine, system_prompt)
        self.engine = self.llm_call.engine

    def parameters(self) -> list[Variable]:
        return [self.system_prompt] if self.system_prompt else []

    def forward(self, x: Variable) -> Variable:
        return self.llm_call(x)
