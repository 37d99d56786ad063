"""What was seen to go wrong in TextGrad 0.1.8: `python -m benchmarks.textgrad_defects`, where that is installed.

Each function is true when the defect is there; docs/library.md names the test that holds refiner free of it.
"""

from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any


def textgrad(name: str = "") -> Any:
    return import_module(f"textgrad.{name}" if name else "textgrad")


class Scripted:
    """An engine that answers by a function and keeps what it was asked."""

    def __init__(self, answering: Callable[[str], str]) -> None:
        self.asked: list[Any] = []
        engine = self

        class Engine(textgrad("engine").EngineLM):  # type: ignore[misc]
            model_string = "scripted"

            def generate(self, prompt: Any, system_prompt: Any = None, **_: Any) -> str:
                engine.asked.append(prompt)
                return answering(str(prompt))

            __call__ = generate

        self.engine = Engine()


def heard(value: str, *feedback: str) -> Any:
    tg = textgrad()
    variable = tg.Variable(value, role_description="answer")
    variable.gradients = {tg.Variable(text, role_description="feedback") for text in feedback}
    return variable


def stepped(reply: str) -> str:
    variable = heard("old", "say more")
    textgrad().TGD([variable], engine=Scripted(lambda _: reply).engine).step()
    return str(variable.value)


def a_reply_without_tags_ends_the_run() -> bool:
    try:
        stepped("plain new text")
    except IndexError:
        return True
    return False


def an_empty_reply_becomes_the_value() -> bool:
    return stepped("<IMPROVED_VARIABLE> </IMPROVED_VARIABLE>") == ""


def a_reply_that_was_cut_off_becomes_the_value() -> bool:
    return stepped("<IMPROVED_VARIABLE>half of i") == "half of i"


def a_critic_sees_the_first_and_last_ten_words() -> bool:
    tg, critic = textgrad(), Scripted(lambda _: "mend it")
    code = tg.Variable(" ".join(f"word{n}" for n in range(100)), role_description="program")
    function = textgrad("autograd.string_based_ops").StringBasedFunction(lambda **_: "fails", "runs tests")
    function({"code": code}).backward(critic.engine)
    return "word50" not in str(critic.asked)


def a_sum_gives_each_gradient_twice() -> bool:
    tg = textgrad()
    one = tg.Variable("x", role_description="loss")
    total = tg.sum([one])
    total.gradients = {tg.Variable("too long", role_description="feedback")}
    total.grad_fn(backward_engine=None)
    return len(one.gradients) == 2


def an_aggregate_is_heard_by_its_last_variable_alone() -> bool:
    tg = textgrad()
    parts = [tg.Variable(str(n), role_description="part") for n in range(3)]
    whole = tg.aggregate(parts)
    whole.gradients = {tg.Variable("too long", role_description="feedback")}
    whole.grad_fn(backward_engine=None)
    return sum(bool(part.gradients) for part in parts) == 1


def momentum_sends_no_prompt() -> bool:
    optimizer = textgrad("optimizer.optimizer").TextualGradientDescentwithMomentum
    engine = Scripted(lambda _: "<IMPROVED_VARIABLE>new</IMPROVED_VARIABLE>")
    optimizer(engine.engine, [heard("old", "say more")], momentum_window=2).step()
    return engine.asked == [None]


def gradient_memory_is_not_in_the_prompt() -> bool:
    engine = Scripted(lambda _: "<IMPROVED_VARIABLE>new</IMPROVED_VARIABLE>")
    variable = heard("old", "feedback one")
    optimizer = textgrad().TGD([variable], engine=engine.engine, gradient_memory=2)
    optimizer.step()
    variable.gradients = heard("", "feedback two").gradients
    optimizer.step()
    return "feedback one" not in str(engine.asked[1])


def braces_in_an_instruction_end_the_run() -> bool:
    loss = textgrad("loss").MultiChoiceTestTime("Is {x} a set?", Scripted(lambda _: "yes").engine)
    with suppress(KeyError):
        loss("Which?", textgrad().Variable("B", role_description="answer"))
        return False
    return True


def importing_it_writes_a_folder() -> bool:
    textgrad()
    return Path("logs").is_dir()


DEFECTS = (
    a_reply_without_tags_ends_the_run,
    an_empty_reply_becomes_the_value,
    a_reply_that_was_cut_off_becomes_the_value,
    a_critic_sees_the_first_and_last_ten_words,
    a_sum_gives_each_gradient_twice,
    an_aggregate_is_heard_by_its_last_variable_alone,
    momentum_sends_no_prompt,
    gradient_memory_is_not_in_the_prompt,
    braces_in_an_instruction_end_the_run,
    importing_it_writes_a_folder,
)

if __name__ == "__main__":
    for defect in DEFECTS:
        with redirect_stdout(StringIO()):
            seen = defect()
        print(f"{'seen' if seen else 'not seen':8}  {defect.__name__.replace('_', ' ')}")
