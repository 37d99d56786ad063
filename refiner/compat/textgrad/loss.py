"""TextGrad's losses, made by refiner's."""

from collections.abc import Sequence
from typing import Any

from refiner.autograd import losses
from refiner.compat.textgrad.autograd import FormattedLLMCall, LLMCall, Module
from refiner.compat.textgrad.engine import engine_of
from refiner.compat.textgrad.loop import run
from refiner.compat.textgrad.variable import Variable

DEFAULT_TEST_TIME = (
    "Analyze a solution to a multi-choice problem. Investigate the reasoning and the answer. Do not solve the problem."
)


class TextLoss(Module):
    """A model's evaluation of a variable by an instruction.

    An instruction that itself requires gradients is the system prompt of the evaluation, and hears how to change.
    """

    def __init__(self, eval_system_prompt: Variable | str, engine: Any = None) -> None:
        if isinstance(eval_system_prompt, str):
            role = "system prompt for the evaluation"
            eval_system_prompt = Variable(eval_system_prompt, requires_grad=False, role_description=role)
        self.eval_system_prompt = eval_system_prompt
        self.engine = engine_of(engine)

    def forward(self, instance: Variable) -> Variable:
        if self.eval_system_prompt.requires_grad:
            return LLMCall(self.engine, self.eval_system_prompt)(instance)
        return Variable.of(run(losses.TextLoss.by(self.engine, self.eval_system_prompt.value), instance))


class MultiFieldEvaluation(Module):
    """A model's evaluation of several variables, each under a name."""

    def __init__(
        self,
        evaluation_instruction: Variable,
        role_descriptions: Sequence[str],
        engine: Any = None,
        system_prompt: Variable | None = None,
    ) -> None:
        self.evaluation_instruction = evaluation_instruction
        self.role_descriptions = tuple(role_descriptions)
        role = "system prompt for the evaluation"
        text = "You are an evaluation system that compares two variables."
        self.system_prompt = system_prompt or Variable(text, requires_grad=False, role_description=role)
        lines = ("{instruction}", *(f"**{name}**: {{{name}}}" for name in role_descriptions))
        fields = ("instruction", *role_descriptions)
        self.formatted_llm_call = FormattedLLMCall(engine, "\n".join(lines), fields, self.system_prompt)

    def forward(self, inputs: Sequence[Variable]) -> Variable:
        named = dict(zip(self.role_descriptions, inputs, strict=True))
        return self.formatted_llm_call({"instruction": self.evaluation_instruction, **named}, "evaluation")


class MultiFieldTokenParsedEvaluation(MultiFieldEvaluation):
    """An evaluation whose result stands between two tags."""

    def __init__(
        self,
        evaluation_instruction: Variable,
        role_descriptions: Sequence[str],
        engine: Any = None,
        system_prompt: Variable | None = None,
        parse_tags: Sequence[str] = ("", ""),
    ) -> None:
        super().__init__(evaluation_instruction, role_descriptions, engine, system_prompt)
        self.parse_tags = parse_tags

    def parse_output(self, response: Variable) -> str:
        """The text between the tags; all of a reply without them."""
        first, last = self.parse_tags
        text = response.value.rpartition(first)[2] if first else response.value
        return (text.partition(last)[0] if last else text).strip()


class MultiChoiceTestTime(Module):
    """A model's evaluation of an answer to a question."""

    def __init__(self, evaluation_instruction: str, engine: Any = None, system_prompt: Variable | None = None) -> None:
        self.engine = engine_of(engine)
        self.instruction = f"{system_prompt or DEFAULT_TEST_TIME}\n{evaluation_instruction}"

    def forward(self, question: str, prediction: Variable) -> Variable:
        asked = Variable(question, requires_grad=False, role_description="question")
        loss = losses.TextLoss.by(self.engine, self.instruction)
        return Variable.of(run(loss.fields, {"question": asked, "prediction": prediction}))


class ImageQALoss(Module):
    """A model's evaluation of an answer to a question about an image, which it sees."""

    def __init__(self, evaluation_instruction: str, engine: Any = None, system_prompt: Variable | None = None) -> None:
        self.engine = engine_of(engine)
        self.instruction = f"{system_prompt}\n{evaluation_instruction}" if system_prompt else evaluation_instruction

    def forward(self, image: Variable, question: Variable, response: Variable) -> Variable:
        return Variable.of(run(losses.TextLoss.by(self.engine, self.instruction).image, image, question, response))
