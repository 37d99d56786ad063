"""What goes wrong in TextGrad 0.1.8, each as a small program: what it came to, and what it should.

`python tests/compat/defects.py textgrad` runs them all on TextGrad and prints what each came to, as JSON; any package
with TextGrad's names may stand in its place. Standard library only, for it runs where refiner is not installed.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from tempfile import TemporaryDirectory
from typing import Any

Answer = Callable[[str], Any]
"""A reply to a prompt: its text, a text and why it ended, or the number of an HTTP error."""

Seen = tuple[object, object]
"""What a program came to, and what it should have come to."""


class Model:
    """A scripted model behind OpenAI's protocol; `prompts` keeps what it was asked, the system text first."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.prompts: list[str] = []

    def reply(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.prompts.append("\n".join(str(message["content"]) for message in body["messages"]))
        said = self.answer(self.prompts[-1])
        if isinstance(said, int):
            return said, {"error": {"message": "scripted failure", "type": "scripted"}}
        text, finish = said if isinstance(said, tuple) else (said, "stop")
        choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text}}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        head = {"id": "c", "object": "chat.completion", "created": 0, "model": "gpt-4o"}
        return 200, {**head, "choices": [choice], "usage": usage}

    @property
    def updates(self) -> list[str]:
        return [prompt for prompt in self.prompts if is_update(prompt)]

    @property
    def others(self) -> list[str]:
        return [prompt for prompt in self.prompts if not is_update(prompt)]


def is_update(prompt: str) -> bool:
    return "IMPROVED_VARIABLE" in prompt or "<improved>" in prompt


def improved(prompt: str, text: str) -> str:
    """A rewrite between the tags that the prompt asks for."""
    tag = "IMPROVED_VARIABLE" if "IMPROVED_VARIABLE" in prompt else "improved"
    return f"<{tag}>{text}</{tag}>"


@contextmanager
def served(answer: Answer) -> Iterator[Model]:
    """A model that the engine gpt-4o reaches, with no cache of earlier programs."""
    model = Model(answer)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            status, said = model.reply(body)
            data = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        url = f"http://127.0.0.1:{server.server_port}/v1"
        names = ("OPENAI_BASE_URL", "REFINER_PROVIDERS__OPENAI__BASE_URL")
        before = {name: os.environ.get(name) for name in names}
        os.environ.update(dict.fromkeys(names, url))
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield model
        finally:
            server.shutdown()
            thread.join()
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


def stepped(tg: Any, update: Answer, value: str = "old") -> str:
    """What a variable is after one loss, backward and step, when the optimizer's model answers so."""
    with served(lambda prompt: update(prompt) if is_update(prompt) else "it is wrong") as model:
        engine = tg.get_engine("gpt-4o")
        x = tg.Variable(value, role_description="answer")
        loss = tg.TextLoss("Is it right?", engine=engine)(x)
        loss.backward(engine)
        tg.TGD([x], engine=engine).step()
        assert model.updates
        return str(x.value)


def an_update_without_tags_does_not_raise(tg: Any) -> Seen:
    return stepped(tg, lambda _: "new"), "new"


def an_empty_reply_does_not_become_the_answer(tg: Any) -> Seen:
    return stepped(tg, lambda prompt: improved(prompt, "")), "old"


def a_truncated_reply_does_not_become_the_answer(tg: Any) -> Seen:
    return stepped(tg, lambda prompt: (improved(prompt, "the ans").rpartition("<")[0], "length")), "old"


def an_echo_of_the_prompt_does_not_become_the_answer(tg: Any) -> Seen:
    return stepped(tg, lambda prompt: prompt), "old"


def a_worse_update_is_taken_back(tg: Any) -> Seen:
    """A validation that falls; TextGrad has no place for one, and leaves that to each program."""
    with served(lambda prompt: improved(prompt, "worse") if is_update(prompt) else "it is wrong"):
        engine = tg.get_engine("gpt-4o")
        x = tg.Variable("good", role_description="answer")

        async def validation() -> float:
            return float(x.value == "good")

        try:
            optimizer = tg.TGD([x], engine=engine, validation=validation)
        except TypeError:
            optimizer = tg.TGD([x], engine=engine)
        tg.TextLoss("Is it right?", engine=engine)(x).backward(engine)
        optimizer.step()
        return x.value, "good"


def a_critic_sees_the_whole_code_under_a_deterministic_loss(tg: Any) -> Seen:
    with served(lambda _: "mend it") as model:
        engine = tg.get_engine("gpt-4o")
        code = " ".join(["a = 1"] * 20 + ["MIDDLE"] + ["b = 2"] * 20)
        x = tg.Variable(code, role_description="code")
        tests = tg.autograd.StringBasedFunction(lambda **_: "1 of 2 tests passed", "runs the tests")
        tests({"code": x}).backward(engine)
        return "MIDDLE" in model.prompts[0], True


def feedback_comes_in_the_same_order_in_every_run(tg: Any) -> Seen:
    names = [f"FEEDBACK-{number:02}" for number in range(12)]

    def answer(prompt: str) -> str:
        asked = next((name for name in names if f"by {name}" in prompt), "")
        return improved(prompt, "new") if is_update(prompt) else asked

    with served(answer) as model:
        engine = tg.get_engine("gpt-4o")
        x = tg.Variable("old", role_description="answer")
        losses = [tg.TextLoss(f"Judge by {name}", engine=engine)(x) for name in names]
        for loss in losses:
            loss.backward(engine)
        tg.TGD([x], engine=engine).step()
        places = [model.updates[0].find(f"<FEEDBACK>{name}") for name in names]
        if max(places) < 0:
            places = [model.updates[0].find(name) for name in names]
        heard = [name for _, name in sorted(zip(places, names, strict=True))]
        return [name[-2:] for name in heard], [name[-2:] for name in names]


def a_sum_passes_feedback_on_once(tg: Any) -> Seen:
    with served(lambda prompt: "THE-FEEDBACK" if "evaluation" in prompt.lower() else "a reply") as model:
        engine = tg.get_engine("gpt-4o")
        x = tg.Variable("question", role_description="question")
        reply = tg.autograd.LLMCall(engine)(x)
        tg.TextLoss("An evaluation.", engine=engine)(tg.sum([reply])).backward(engine)
        return model.prompts[-1].count("THE-FEEDBACK"), 1


def two_steps(tg: Any, optimizer_of: Callable[[Any, Any], Any]) -> str:
    """The prompt of the second update, after FIRST-VALUE and FIRST-FEEDBACK."""
    values = iter(("SECOND-VALUE", "third"))
    feedback = iter(("FIRST-FEEDBACK", "FIRST-FEEDBACK", "again", "again"))
    with served(lambda prompt: improved(prompt, next(values)) if is_update(prompt) else next(feedback)) as model:
        engine = tg.get_engine("gpt-4o")
        x = tg.Variable("FIRST-VALUE", role_description="answer")
        optimizer = optimizer_of(engine, x)
        for _ in range(2):
            optimizer.zero_grad()
            tg.TextLoss("Is it right?", engine=engine)(x).backward(engine)
            optimizer.step()
        return model.updates[1]


def momentum_reaches_the_prompt(tg: Any) -> Seen:
    momentum = tg.optimizer.TextualGradientDescentwithMomentum
    return "FIRST-VALUE" in two_steps(tg, lambda engine, x: momentum(engine, [x], momentum_window=2)), True


def gradient_memory_reaches_the_prompt(tg: Any) -> Seen:
    return "FIRST-FEEDBACK" in two_steps(tg, lambda engine, x: tg.TGD([x], engine=engine, gradient_memory=2)), True


def another_temperature_length_or_server_is_another_call(tg: Any) -> Seen:
    with served(lambda _: "one") as first:
        engine = tg.get_engine("gpt-4o")
        engine.generate("Say a number.", temperature=0)
        engine.generate("Say a number.", temperature=1)
        engine.generate("Say a number.", max_tokens=5)
    with served(lambda _: "two") as second:
        tg.get_engine("gpt-4o").generate("Say a number.", temperature=0)
    return [len(first.prompts), len(second.prompts)], [3, 1]


def repeats_are_no_copies(tg: Any) -> Seen:
    replies = iter("ab")
    with served(lambda _: next(replies)):
        engine = tg.get_engine("gpt-4o")
        return [engine.generate("Say a letter.", temperature=1) for _ in "ab"], ["a", "b"]


def tries(tg: Any, status: int) -> int:
    with served(lambda _: status) as model:
        try:
            tg.get_engine("gpt-4o").generate("Say a number.")
        except Exception:  # noqa: BLE001 - whatever it raises, the tries count
            return len(model.prompts)
    raise AssertionError("no error was raised")


def an_outage_is_tried_in_one_layer(tg: Any) -> Seen:
    """REFINER_RETRY__ATTEMPTS; TextGrad multiplies its own five tries with the three of OpenAI's client."""
    return tries(tg, 500), int(os.environ.get("REFINER_RETRY__ATTEMPTS", "5"))


def a_wrong_key_is_tried_once(tg: Any) -> Seen:
    return tries(tg, 401), 1


def braces_in_an_instruction_are_text(tg: Any) -> Seen:
    with served(lambda _: "fine") as model:
        loss = tg.loss.MultiChoiceTestTime('Answer as {"verdict": "…"}', engine=tg.get_engine("gpt-4o"))
        loss("Which?", tg.Variable("A", role_description="answer"))
        return '{"verdict": "…"}' in model.prompts[0], True


_IMPORT = """
import sys
seen = []
sys.addaudithook(lambda event, _: seen.append(event) if event in ("socket.connect", "socket.getaddrinfo") else None)
import {name}, json, os
heavy = [name for name in ("openai", "anthropic", "litellm", "sqlalchemy") if name in sys.modules]
print(json.dumps([os.listdir("."), seen, heavy]))
"""


@cache
def imported(name: str) -> tuple[list[str], list[str], list[str]]:
    """What an import leaves in the folder, what it does on the network, and the heavy packages that it loads."""
    environment = {key: value for key, value in os.environ.items() if key != "TEXTGRAD_LOG_DIR"}
    with TemporaryDirectory() as folder:
        call = [sys.executable, "-c", _IMPORT.format(name=name)]
        out = subprocess.run(call, cwd=folder, env=environment, stdout=subprocess.PIPE, check=True).stdout
    files, network, heavy = json.loads(out.splitlines()[-1])
    return files, network, heavy


def an_import_loads_nothing_heavy(tg: Any) -> Seen:
    return imported(tg.__name__)[2], []


def an_import_writes_no_files(tg: Any) -> Seen:
    return imported(tg.__name__)[0], []


def an_import_opens_no_network(tg: Any) -> Seen:
    return imported(tg.__name__)[1], []


def what_passes_its_tests_costs_no_further_call(tg: Any) -> Seen:
    """The loop of TextGrad's code experiment: its loss is paid for and stepped on whatever the tests say."""
    with served(lambda prompt: improved(prompt, "new") if is_update(prompt) else "nothing is wrong") as model:
        engine = tg.get_engine("gpt-4o")
        x = tg.Variable("def one(): return 1", role_description="code")
        if tg.__name__.startswith("refiner"):
            descended(engine.core, x)
        else:
            loss = tg.autograd.StringBasedFunction(lambda **_: "2 of 2 tests passed", "runs the tests")({"code": x})
            loss.backward(engine)
            tg.TGD([x], engine=engine).step()
        return len(model.prompts), 0


def descended(engine: Any, x: Any) -> None:
    """The loop as refiner has it: a policy sees the evaluation before anything is paid for."""
    from refiner import Check, CheckerLoss, TextualGradientDescent, descend
    from refiner.compat.textgrad.loop import run

    loss = CheckerLoss(lambda code: Check(code.endswith("1"), 1.0, "2 of 2 tests passed"))

    async def evaluated(_: int) -> Any:
        return loss(x)[0]

    run(partial(descend, TextualGradientDescent([x], engine), evaluated, until="clean"))


def every_variable_of_an_aggregate_hears_of_it(tg: Any) -> Seen:
    with served(lambda _: "THE-FEEDBACK"):
        engine = tg.get_engine("gpt-4o")
        parts = [tg.Variable(f"part {number}", role_description="part") for number in range(3)]
        tg.TextLoss("An evaluation.", engine=engine)(tg.aggregate(parts)).backward(engine)
        return ["THE-FEEDBACK" in part.get_gradient_text() for part in parts], [True] * 3


def a_deep_graph_does_not_overflow_the_stack(tg: Any) -> Seen:
    with served(lambda _: "THE-FEEDBACK"):
        engine = tg.get_engine("gpt-4o")
        first = last = tg.Variable("a", role_description="part")
        for _ in range(1200):
            last = tg.sum([last])
        tg.TextLoss("An evaluation.", engine=engine)(last).backward(engine)
        return "THE-FEEDBACK" in first.get_gradient_text(), True


def an_engine_may_be_given_beside_a_default(tg: Any) -> Seen:
    with served(lambda _: "THE-FEEDBACK"):
        engine = tg.get_engine("gpt-4o")
        tg.set_backward_engine(engine, override=True)
        x = tg.Variable("a", role_description="part")
        tg.TextLoss("An evaluation.")(x).backward(engine)
        return "THE-FEEDBACK" in x.get_gradient_text(), True


PROGRAMS: dict[str, Callable[[Any], Seen]] = {
    program.__name__: program
    for program in (
        an_update_without_tags_does_not_raise,
        an_empty_reply_does_not_become_the_answer,
        a_truncated_reply_does_not_become_the_answer,
        an_echo_of_the_prompt_does_not_become_the_answer,
        a_worse_update_is_taken_back,
        a_critic_sees_the_whole_code_under_a_deterministic_loss,
        feedback_comes_in_the_same_order_in_every_run,
        a_sum_passes_feedback_on_once,
        momentum_reaches_the_prompt,
        gradient_memory_reaches_the_prompt,
        another_temperature_length_or_server_is_another_call,
        repeats_are_no_copies,
        an_outage_is_tried_in_one_layer,
        a_wrong_key_is_tried_once,
        braces_in_an_instruction_are_text,
        an_import_loads_nothing_heavy,
        an_import_writes_no_files,
        an_import_opens_no_network,
        what_passes_its_tests_costs_no_further_call,
        every_variable_of_an_aggregate_hears_of_it,
        a_deep_graph_does_not_overflow_the_stack,
        an_engine_may_be_given_beside_a_default,  # last, for it sets one for the whole of TextGrad
    )
}


def came_to(tg: Any, program: Callable[[Any], Seen]) -> str:
    """Well, or what was seen in place of what was wanted, or the error that the program died of."""
    with TemporaryDirectory() as cache:
        os.environ["XDG_CACHE_HOME"] = cache
        try:
            seen, wanted = program(tg)
        except Exception as error:  # noqa: BLE001 - to die is one of the things that go wrong
            return f"{type(error).__name__}: {str(error).partition('. ')[0]}"
    return "well" if seen == wanted else f"{json.dumps(seen)}, not {json.dumps(wanted)}"


def main(name: str, *wanted: str) -> None:
    tg = import_module(name)
    chosen = {key: program for key, program in PROGRAMS.items() if not wanted or key in wanted}
    print(json.dumps({key: came_to(tg, program) for key, program in chosen.items()}, indent=1))


if __name__ == "__main__":
    os.environ.setdefault("OPENAI_API_KEY", "sk-test")
    main(*sys.argv[1:])
