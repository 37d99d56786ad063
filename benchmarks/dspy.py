"""A DSPy program as it is, under `dspy.BestOfN`, under `dspy.Refine` and refined by refiner: rewards, calls, tokens.

`python -m benchmarks.dspy [--items N] [--model NAME] [--quick]`, where DSPy is installed (`refiner[dspy]`). Each item
goes to all of them in turn, and to the same server; each may make CALLS calls for it.
"""

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import dspy

from benchmarks.figures import Figure, show
from benchmarks.processes import home, server
from benchmarks.textgrad_compare import Meter
from refiner.integrations.dspy import Refined

CALLS = 5
TOKENS = 200

ITEMS = (
    ("rain", "roof", "night"),
    ("bread", "oven", "morning"),
    ("a train", "window", "mountain"),
    ("a library", "dust", "silence"),
    ("the sea", "salt", "harbour"),
    ("a clock", "tower", "noon"),
    ("coffee", "steam", "friend"),
    ("winter", "glove", "window"),
    ("a garden", "stone", "bee"),
    ("a market", "orange", "voice"),
)


def reward(args: dict[str, Any], prediction: Any) -> float:
    """The mean of: how near it comes to exactly nine words, one sentence that ends in a full stop, no comma, and each
    of the two words in it."""
    text = str(prediction.sentence).strip()
    first, second = args["words"].split(", ")
    length = max(0.0, 1 - abs(len(text.split()) - 9) / 9)
    rules = (length, text.endswith(".") and text.count(".") == 1, "," not in text, first in text, second in text)
    return sum(rules) / len(rules)


def arms(url: str, task: Any) -> Mapping[str, tuple[Meter, Callable[..., Any]]]:
    """A client of the server each: Refine spends two calls on a try, advice included, and refiner on an iteration."""
    meters = {name: Meter(url, name) for name in ("program", "BestOfN", "Refine", "refiner")}

    def program(name: str) -> Any:
        made = dspy.Predict(task)
        made.set_lm(
            dspy.LM("openai/served", api_base=meters[name].base_url, api_key="none", cache=False, max_tokens=TOKENS,
                    temperature=0.0)
        )  # fmt: skip
        return made

    made = {
        "program": program("program"),
        "BestOfN": dspy.BestOfN(program("BestOfN"), N=CALLS, reward_fn=reward, threshold=1.0),
        "Refine": dspy.Refine(program("Refine"), N=(CALLS + 1) // 2, reward_fn=reward, threshold=1.0),
        "refiner": Refined(
            program("refiner"),
            reward,
            model="openai:served",
            base_url=meters["refiner"].base_url,
            max_calls=CALLS,
            max_output_tokens=TOKENS,
        ),
    }
    return {name: (meters[name], one) for name, one in made.items()}


def measure(*, count: int = len(ITEMS), model: str = "qwen2.5-coder-0.5b", quick: bool = False) -> list[Figure]:
    """Mean rewards, and what each of them spent on all items."""
    asked = ITEMS[: 2 if quick else count]
    rewards: dict[str, list[float]] = {}
    spent: dict[str, Counter[str]] = {}
    task = dspy.Signature(
        "topic, words -> sentence",
        "Write one sentence of exactly nine words about the topic, without a comma, with both words in it.",
    )
    with home() as env, server("benchmarks.model_server", model, TOKENS, env=env) as url:
        os.environ |= {name: env[name] for name in ("REFINER_HOME", "LITELLM_LOCAL_MODEL_COST_MAP")}
        os.environ["OPENAI_API_KEY"] = "none"
        for number, (topic, *words) in enumerate(asked, 1):
            inputs = {"topic": topic, "words": ", ".join(words)}
            for name, (meter, run) in arms(url, task).items():
                before, began = meter.read(), time.process_time()
                try:
                    prediction = run(**inputs)
                    gained = reward(inputs, prediction) if prediction is not None else 0.0
                except Exception as error:  # noqa: BLE001 - a reply that DSPy cannot read ends the item
                    print(f"{name}: {type(error).__name__}", file=sys.stderr)
                    gained = 0.0
                used = meter.read() - before + Counter(processor=round(1000 * (time.process_time() - began)))
                rewards.setdefault(name, []).append(gained)
                spent[name] = spent.get(name, Counter()) + used
                print(f"{number}/{len(asked)} {name}: {gained:.2f}, {used['calls']} calls", file=sys.stderr, flush=True)
    return [_figure(name, rewards[name], spent[name]) for name in rewards]


def _figure(name: str, rewards: list[float], spent: Counter[str]) -> Figure:
    beside = (
        f"{sum(one == 1.0 for one in rewards)} of {len(rewards)} reached; {spent['calls']} calls, "
        f"{spent['evaluated']:,} tokens read, {spent['cached']:,} more from the cache, {spent['written']:,} written, "
        f"{spent['processor'] / 1000:.1f} s of the client's processor"
    )
    return Figure(f"dspy: {name}", sum(rewards) / len(rewards), "reward", beside=beside)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--items", dest="count", type=int, default=len(ITEMS))
    parser.add_argument("--model", default="qwen2.5-coder-0.5b", help="as after `local:`")
    parser.add_argument("--quick", action="store_true")
    show(measure(**vars(parser.parse_args())))


if __name__ == "__main__":
    main()
