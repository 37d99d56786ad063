"""Programs mended with the embedded model: one shot, best of n, TextGrad's loop and `repair`, at the same tokens.

`python -m benchmarks.repair FILE [--rows N] [--model NAME] [--calls N]`. FILE holds JSON lines with `buggy_code`,
`entry_point`, `test` (hidden, it scores) and `visible_test` or `visible_tests`; `docstring` is put into the program.
Rows whose `fails_visible` is false are left out. `repair` goes first, with so many calls at the most; what it used is
the budget of the others. Best of n samples the prompt of the single shot until a program passes the visible tests.
"""

import argparse
import ast
import json
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio

import refiner
from benchmarks.figures import Figure, show
from benchmarks.intervals import difference, wilson
from refiner.app.engine import ModelEngine, engine
from refiner.domain.calls import Message, Role
from refiner.domain.code import Outcome, Suite
from refiner.sandbox.cell import Sandbox
from refiner.sandbox.choose import sandbox_of
from refiner.sandbox.judge import judge
from refiner.verify.program import program
from refiner.verify.syntax import parsed

SINGLE = (
    "This program has a bug:\n```python\n{}```\nThese tests must pass:\n```python\n{}```\nWrite the corrected program \
in one ```python block, complete and without the tests."
)
METHODS = ("one shot", "best of n", "textgrad", "repair")


@dataclass(frozen=True, slots=True)
class Row:
    id: str
    program: str
    visible: Suite
    hidden: Suite


@dataclass
class Told:
    """Which rows a method solves, and the tokens that it takes for all of them, in and out."""

    solved: list[bool] = field(default_factory=list)
    tokens: int = 0


def rows(file: Path, most: int) -> Iterator[Row]:
    """The first rows whose program fails the tests that are shown."""
    found = 0
    for line in file.read_text("utf-8").splitlines():
        row: dict[str, Any] = json.loads(line)
        shown = row.get("visible_test") or "\n".join(row.get("visible_tests") or ())
        if found == most or not shown.strip() or row.get("fails_visible") is False:
            continue
        found += 1
        name = row["entry_point"]
        suites = (Suite((("test_it.py", text),), "solution", name, (name,)) for text in (shown, row["test"]))
        yield Row(row["id"], _documented(row), *suites)


def _documented(row: dict[str, Any]) -> str:
    """The buggy program with its description as the docstring that it would have in a real file."""
    text: str = row["buggy_code"].strip("\n") + "\n"
    words: str | None = row.get("docstring")
    tree = parsed(text)
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)] if tree else []
    body = next((function.body for function in functions if function.name == row["entry_point"]), None)
    if not words or not body:
        return text
    lines = text.split("\n")
    indent = " " * body[0].col_offset
    doc = [f'{indent}"""', *(f"{indent}{line}".rstrip() for line in words.splitlines()), f'{indent}"""']
    return "\n".join([*lines[: body[0].lineno - 1], *doc, *lines[body[0].lineno - 1 :]])


async def measure_rows(asked: Sequence[Row], model: str, calls: int) -> dict[str, Told]:
    told = {method: Told() for method in METHODS}
    async with _opened(model) as (sandbox, asking):
        for number, row in enumerate(asked, 1):
            settings: dict[str, Any] = {"model": model, "program": row.program, "suite": row.visible}
            settings |= {"max_output_tokens": asking.max_output_tokens}
            question = "Find what is wrong in the program and mend it."
            ours = await refiner.solve(question, strategy="repair", max_calls=calls, **settings)
            budget = max(ours.usage.input_tokens + ours.usage.output_tokens, 1)
            theirs = await refiner.solve(
                question, strategy="textgrad", max_iterations=99, max_tokens=budget, **settings
            )
            single, best, spent, first = await _sampled(asking, sandbox, row, budget)
            answers = {"one shot": single, "best of n": best, "textgrad": theirs.answer, "repair": ours.answer}
            used = {"one shot": first, "best of n": spent, "repair": budget}
            used["textgrad"] = theirs.usage.input_tokens + theirs.usage.output_tokens
            for method, answer in answers.items():
                told[method].solved.append(answer is not None and await _passes(sandbox, answer, row.hidden))
                told[method].tokens += used[method]
            line = "  ".join(
                f"{method}: {'✓' if one.solved[-1] else '·'} {used[method]}" for method, one in told.items()
            )
            print(f"{number}/{len(asked)} {row.id}  {line}", file=sys.stderr, flush=True)
    return told


@asynccontextmanager
async def _opened(model: str) -> AsyncIterator[tuple[Sandbox, ModelEngine]]:
    sandbox = await sandbox_of()
    try:
        async with engine(model, max_output_tokens=1024) as asking:
            yield sandbox, asking
    finally:
        await sandbox.aclose()


async def _sampled(
    asking: ModelEngine, sandbox: Sandbox, row: Row, budget: int
) -> tuple[str | None, str | None, int, int]:
    """The single shot and the best of n, and the tokens of both: the first is greedy, the others are sampled."""
    messages = (Message("user", (SINGLE.format(row.program, row.visible.files[0][1]),)),)
    drawn: list[str | None] = []
    best: str | None = None
    spent = first = 0
    while best is None and (spent < budget or not drawn):
        asking.temperature = 0.8 if drawn else 0.0
        reply = await asking.complete(messages, Role.ANSWER, "")
        spent += reply.usage.input_tokens + reply.usage.output_tokens
        first = first or spent
        drawn.append(program(reply.text, names=row.visible.names))
        if (text := drawn[-1]) is not None and await _passes(sandbox, text, row.visible):
            best = text
    return drawn[0], best or next(filter(None, drawn), None), spent, first


async def _passes(sandbox: Sandbox, text: str, suite: Suite) -> bool:
    return (await judge(sandbox, text, suite)).outcome is Outcome.PASSED


def figures(told: dict[str, Told]) -> list[Figure]:
    """The share of solved rows of each method with its interval, and `repair` against each of the others."""
    ours = told["repair"].solved
    shares = []
    for method, one in told.items():
        low, high = wilson(sum(one.solved), len(one.solved))
        beside = f"{sum(one.solved)}/{len(one.solved)}, Wilson 95 %: {low * 100:.0f} to {high * 100:.0f}"
        beside += f"; {one.tokens:,} tokens"
        shares.append(Figure(f"solved: {method}", 100 * sum(one.solved) / len(one.solved), "%", beside=beside))
    for method, one in told.items():
        if method != "repair":
            low, high = difference(ours, one.solved)
            gain = 100 * (sum(ours) - sum(one.solved)) / len(ours)
            target = 15.0 if method == "one shot" else None
            beside = f"paired bootstrap, 95 %: {low * 100:+.0f} to {high * 100:+.0f}"
            shares.append(Figure(f"repair − {method}", gain, "points", target, most=False, beside=beside))
    return shares


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--rows", type=int, default=40)
    parser.add_argument("--model", default="local")
    parser.add_argument("--calls", type=int, default=12)
    options = parser.parse_args()
    asked = list(rows(options.file, options.rows))
    show(figures(anyio.run(measure_rows, asked, options.model, options.calls)))


if __name__ == "__main__":
    main()
