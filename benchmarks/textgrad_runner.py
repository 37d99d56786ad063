"""TextGrad's own test-time training, as a program for the environment that has TextGrad (never for refiner's).

`python textgrad_runner.py BASE_URL THREADS` prints a line when it is ready, then reads items {"id", "question"} and
prints {"id", "labels", "voted", "error", "seconds"} for each, and at the end {"seconds", "cpu"}.

The steps, prompts, constraint and vote are those of evaluation/solution_optimization.py in zou-group/textgrad, with the
engine that the package has for servers of one's own, and its cache as it comes.
"""

import json
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from statistics import multimode
from typing import Any

import textgrad as tg  # type: ignore[import-not-found]
from openai import OpenAI
from textgrad.engine.local_model_openai_api import ChatExternalClient  # type: ignore[import-not-found]
from textgrad.tasks.mmlu import MMLUInstanceDataset  # type: ignore[import-not-found]

ITERATIONS = 3
SYSTEM = (
    "You are ChatGPT, a large language model trained by OpenAI, based on the GPT-4 architecture."
    "\nKnowledge cutoff: 2023-12\nCurrent date: 2024-04-01"
)
CONSTRAINT = (
    "The last line of your response should be of the following format: 'Answer: $LETTER' (without quotes) where "
    "LETTER is one of ABCD."
)
ROLE = "creative and precise solution and the prediction for the multiple choice question"


def solve(item: dict[str, Any], engine: Any, dataset: Any) -> dict[str, Any]:
    """One item; an exception of TextGrad ends it, and the answers until then vote."""
    began, answers, error = time.perf_counter(), [], None
    try:
        system = tg.Variable(SYSTEM, requires_grad=False, role_description="system prompt to the language model")
        asked = tg.Variable(item["question"], requires_grad=False, role_description="question to the language model")
        objective = dataset._get_instance_test_time_objective(item["question"])  # noqa: SLF001
        draft = tg.BlackboxLLM(engine, system)(asked)
        answer = tg.Variable(draft.value, requires_grad=True, role_description=ROLE)
        answers.append(answer.value)
        optimizer = tg.TextualGradientDescent(engine=engine, parameters=[answer], constraints=[CONSTRAINT])
        for _ in range(ITERATIONS):
            optimizer.zero_grad()
            objective(answer).backward()
            optimizer.step()
            answers.append(answer.value)
    except Exception as caught:  # noqa: BLE001 - whatever it is, its evaluation script would die of it
        error = f"{type(caught).__name__}: {caught}"[:200]
    labels = [label(text) for text in answers]
    voted = multimode(labels)[0] if labels else None
    seconds = time.perf_counter() - began
    return {"id": item["id"], "labels": labels, "voted": voted, "error": error, "seconds": seconds}


def label(text: str) -> str | None:
    match = re.search(r"(?i)Answer\s*:\s*([A-D])", text)
    return match.group(1) if match else None


def main() -> None:
    engine = ChatExternalClient(client=OpenAI(base_url=sys.argv[1], api_key="none"), model_string="served")
    tg.set_backward_engine(engine, override=True)
    dataset = MMLUInstanceDataset.__new__(MMLUInstanceDataset)  # its __init__ would download the questions
    dataset.evaluation_api = engine
    say({"ready": tg.__version__})
    began: tuple[float, float] | None = None
    with ThreadPoolExecutor(int(sys.argv[2])) as pool:
        for line in sys.stdin:
            began = began or (time.perf_counter(), time.process_time())
            pool.submit(lambda line: say(solve(json.loads(line), engine, dataset)), line)
    wall, cpu = began or (time.perf_counter(), time.process_time())
    say({"seconds": time.perf_counter() - wall, "cpu": time.process_time() - cpu})


def say(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
