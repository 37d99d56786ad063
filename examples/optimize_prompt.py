"""A prompt for a weak model, criticised by a strong one: TextGrad's evaluation/prompt_optimization.py as a run.

REFINER_MODEL=openai:WEAK REFINER_CRITIC_MODEL=openai:STRONG python examples/optimize_prompt.py [--resume RUN]
"""

import argparse
import asyncio
import random
from pathlib import Path

import refiner
from refiner.domain.task import Kind, Task
from refiner.evals.datasets.load import items
from refiner.evals.statistics import wilson
from refiner.verify.equal import same
from refiner.verify.read import read

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--task", default=Path(__file__).with_name("object_counting.json"), help="a task of BIG-Bench Hard")
parser.add_argument("--batch_size", type=int, default=3)
parser.add_argument("--max_epochs", type=int, default=3)
parser.add_argument("--steps", type=int, default=4, help="of an epoch, at the most")
parser.add_argument("--seed", type=int, default=42)
parser.add_argument("--max_output_tokens", type=int, default=512)
parser.add_argument("--resume", metavar="RUN", help="go on with a run that was interrupted; nothing is bought twice")
args = parser.parse_args()

STARTING_SYSTEM_PROMPT = """You will answer a reasoning question. Think step by step. The last line of your response \
should be of the following format: 'Answer: $VALUE' where VALUE is a numerical value."""
ROLE = """structured system prompt to a somewhat capable language model that specifies the behavior and strategies for \
the QA task"""
task = [(item.question, item.answer or "") for item in items(f"bbh:{args.task}")]
train, val = len(task) // 5, 3 * len(task) // 5  # of 250: 50, 100 and 100
train_set, val_set, test_set = task[:train], task[train:val], task[val:]


def equal(prediction: str, truth: str) -> str:
    return str(int(same(read(prediction, Task("", Kind.NUMBER)) or "", truth, Kind.NUMBER)))


async def optimize(run: refiner.RunEngine) -> refiner.Stop:
    system_prompt = refiner.Variable(STARTING_SYSTEM_PROMPT, ROLE)
    model = refiner.ModelCall(run, system_prompt)
    eval_fn = refiner.Function(equal, "The runtime of string-based function that checks if the prediction is correct.")

    async def eval_sample(item: tuple[str, str]) -> refiner.Variable:
        x = refiner.Variable(item[0], "query to the language model", requires_grad=False)
        y = refiner.Variable(item[1], "correct answer for the query", requires_grad=False)
        return eval_fn(await model(x), y)

    async def eval_dataset(name: str, dataset: list[tuple[str, str]]) -> float:
        with refiner.scope(name):
            return sum(int(one.value) for one in await refiner.batch(eval_sample, dataset)) / len(dataset)

    async def run_validation() -> float:
        return await eval_dataset("validation", val_set)

    async def total_loss(_: int) -> refiner.Variable:
        return refiner.total(await refiner.batch(eval_sample, next(train_loader)))

    shuffled = [random.Random(f"{args.seed}/{epoch}").sample(train_set, train) for epoch in range(args.max_epochs)]  # noqa: S311
    starts = range(0, train, args.batch_size)[: args.steps]
    train_loader = (epoch[start : start + args.batch_size] for epoch in shuffled for start in starts)
    optimizer = refiner.TextualGradientDescent([system_prompt], run, validation=run_validation)  # reverts when it falls
    accuracy = [await eval_dataset("before", test_set)]
    steps = f"iterations:{args.max_epochs * len(starts)}"
    descent = await refiner.descend(optimizer, total_loss, until=steps, record=run.record)
    accuracy.append(await eval_dataset("after", test_set))
    for when, share in zip(("before", "after"), accuracy, strict=True):
        low, high = wilson(share * len(test_set), len(test_set))
        await run.context.note(f"test accuracy {when}: {share:.1%}, 95 % interval {low:.1%} to {high:.1%}")
    return descent.stop


settings = {"seed": args.seed, "max_output_tokens": args.max_output_tokens}
result = asyncio.run(refiner.drive(optimize, STARTING_SYSTEM_PROMPT, resume=args.resume, **settings))
print(result.answer, *result.notes, f"run {result.id}", sep="\n")
