"""A DSPy program under `dspy.BestOfN`, under `dspy.Refine` and refined by refiner: rewards, calls and tokens.

`python -m benchmarks.dspy [--items N] [--model NAME|scripted] [--quick]`, where DSPy is installed (`refiner[dspy]`).
Each item goes to all of them in turn, and to the same server; each may make CALLS calls for it, and one more for every
reply that DSPy cannot read and asks for again as JSON. The scripted provider is in this process, and counts words.
"""

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio
import dspy
from dspy.utils.exceptions import AdapterParseError

from benchmarks.figures import Figure, show
from benchmarks.processes import home, server
from benchmarks.textgrad_compare import Meter
from refiner.integrations.dspy import Refined
from tests.scripted import Asked, Scripted, serve

Run = Callable[..., tuple[float, float]]

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


@dataclass(frozen=True, slots=True)
class Billing:
    """The scripted provider, whose replies never earn the whole reward, as a meter: what it would bill."""

    provider: Scripted

    @property
    def base_url(self) -> str:
        return self.provider.openai

    def read(self) -> Counter[str]:
        billed = self.provider.billed
        return Counter(calls=billed.calls, evaluated=billed.input_tokens, written=billed.output_tokens)


def scripted(asked: Asked) -> str:
    text = f"The night is long and this is sentence number {asked.number}."
    if "<improved>" in asked.last:
        return f"<improved>{text}</improved>"
    if "[[ ## advice ## ]]" in asked.last:
        said = '{"self": "Use both of the words and write nine words in all."}'
        return f"[[ ## discussion ## ]]\nA word is missing.\n\n[[ ## advice ## ]]\n{said}\n\n[[ ## completed ## ]]"
    if "Verdict:" in asked.last:
        return "A word is missing: use both of the words and write nine words in all.\nVerdict: flawed"
    return f"[[ ## sentence ## ]]\n{text}\n\n[[ ## completed ## ]]"


@contextmanager
def metered(model: str, env: dict[str, str]) -> Iterator[Callable[[str], Meter | Billing]]:
    """What counts the calls of a client, by its name."""
    if model == "scripted":
        with serve() as provider:
            provider.script = scripted
            yield lambda _name: Billing(provider)
        return
    with server("benchmarks.model_server", model, TOKENS, env=env) as url:
        yield partial(Meter, url)


def arms(meter: Callable[[str], Meter | Billing], task: Any) -> Mapping[str, tuple[Meter | Billing, Any, Run]]:
    """A client of the server each, its LM, and what it makes of an item: the reward, and that of refiner's own draft.

    Refine spends two calls on a try, its advice included, and refiner on an iteration.
    """
    meters = {name: meter(name) for name in ("BestOfN", "Refine", "refiner")}
    lms = {
        name: dspy.LM("openai/served", api_base=meter.base_url, api_key="none", cache=False, max_tokens=TOKENS)
        for name, meter in meters.items()
    }
    best = dspy.BestOfN(dspy.Predict(task), N=CALLS, reward_fn=reward, threshold=1.0)
    refine = dspy.Refine(dspy.Predict(task), N=(CALLS + 1) // 2, reward_fn=reward, threshold=1.0)
    refined = Refined(
        dspy.Predict(task),
        reward,
        model="openai:served",
        base_url=meters["refiner"].base_url,
        max_calls=CALLS,
        max_output_tokens=TOKENS,
    )

    def tried(module: Any) -> Run:
        def run(**inputs: Any) -> tuple[float, float]:
            prediction = module(**inputs)
            gained = 0.0 if prediction is None else reward(inputs, prediction)
            return gained, gained

        return run

    def ours(**inputs: Any) -> tuple[float, float]:
        prediction, result = anyio.run(refined.refine, inputs)
        return reward(inputs, prediction), result.iterations[0].score or 0.0

    runs = {"BestOfN": tried(best), "Refine": tried(refine), "refiner": ours}
    return {name: (meters[name], lms[name], runs[name]) for name in meters}


def measure(*, count: int = 10, model: str = "scripted", quick: bool = False) -> list[Figure]:
    """Mean rewards, and what each of them spent on all items."""
    asked = ITEMS[: 2 if quick else count]
    rewards: dict[str, list[float]] = {}
    spent: dict[str, Counter[str]] = {}
    task = dspy.Signature(
        "topic, words -> sentence",
        "Write one sentence of exactly nine words about the topic, without a comma, with both words in it.",
    )
    with home() as env, metered(model, env) as meters:
        os.environ |= {name: env[name] for name in ("REFINER_HOME", "LITELLM_LOCAL_MODEL_COST_MAP")}
        os.environ["OPENAI_API_KEY"] = "none"
        for number, (topic, *words) in enumerate(asked, 1):
            for name, (meter, lm, run) in arms(meters, task).items():
                before, began = meter.read(), time.process_time()
                try:
                    with dspy.context(lm=lm):
                        gained, draft = run(topic=topic, words=", ".join(words))
                except AdapterParseError:  # a reply that DSPy cannot read ends the item
                    gained = draft = 0.0
                used = meter.read() - before + Counter(processor=round(1000 * (time.process_time() - began)))
                rewards.setdefault(name, []).append(gained)
                if name == "refiner":
                    rewards.setdefault("refiner's drafts", []).append(draft)
                spent[name] = spent.get(name, Counter()) + used
                print(f"{number}/{len(asked)} {name}: {gained:.2f}, {used['calls']} calls", file=sys.stderr, flush=True)
    return [_figure(name, rewards[name], spent.get(name)) for name in rewards]


def _figure(name: str, rewards: list[float], spent: Counter[str] | None) -> Figure:
    beside = f"{sum(one == 1.0 for one in rewards)} of {len(rewards)} reached"
    if spent:
        beside += (
            f"; {spent['calls']} calls, {spent['evaluated'] + spent['cached']:,} tokens read, {spent['cached']:,} from "
            f"the cache, {spent['written']:,} written, {spent['processor'] / 1000:.1f} s of processor time"
        )
    return Figure(f"dspy: {name}", sum(rewards) / len(rewards), "reward", beside=beside)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--items", dest="count", type=int, default=10)
    parser.add_argument("--model", default="scripted", help="or one as after `local:`")
    parser.add_argument("--quick", action="store_true")
    show(measure(**vars(parser.parse_args())))


if __name__ == "__main__":
    main()
