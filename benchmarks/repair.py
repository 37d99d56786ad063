"""Programs mended with the embedded model: one shot, best of n, TextGrad's loop and `repair`, at the same tokens.

`python -m benchmarks.repair FILE [--rows N] [--model NAME] [--calls N] [--results FILE]`. FILE holds JSON lines with
`buggy_code`, `entry_point`, `test` (hidden, it scores) and `visible_test` or `visible_tests`; `docstring` is put into
the program. Rows whose `fails_visible` is false are left out. `repair` goes first, with so many calls at the most; what
it used is the budget of the others. Best of n samples the prompt of the single shot until a program passes the visible
tests. It takes hours: with `--results`, each row is written there once it is done, and none that is there is run again.
"""

import argparse
import ast
import json
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import anyio

import refiner
from benchmarks.figures import Figure, show
from refiner.app.engine import ModelEngine, engine
from refiner.domain.calls import Message, Role
from refiner.domain.code import Outcome, Suite
from refiner.evals.statistics import paired_bootstrap, wilson
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


class Told(NamedTuple):
    """Whether a method solves a row, and the tokens that it takes, in and out."""

    solved: bool
    tokens: int


Results = dict[str, dict[str, Told]]
"""What each method made of a row, by the row's id."""


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


async def measure_rows(asked: Sequence[Row], model: str, calls: int, kept: Path | None) -> Results:
    told = _kept(kept)
    left = [row for row in asked if row.id not in told]
    async with _opened(model) as (sandbox, asking):
        for number, row in enumerate(left, 1):
            told[row.id] = one = await _measured(row, sandbox, asking, model, calls)
            line = "  ".join(f"{method}: {'✓' if solved else '·'} {tokens}" for method, (solved, tokens) in one.items())
            print(f"{number}/{len(left)} {row.id}  {line}", file=sys.stderr, flush=True)
            if kept:
                with kept.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"id": row.id} | one) + "\n")
    return {row.id: told[row.id] for row in asked}


def _kept(file: Path | None) -> Results:
    lines = file.read_text("utf-8").splitlines() if file and file.exists() else []
    rows = [json.loads(line) for line in lines]
    return {row["id"]: {method: Told(*row[method]) for method in METHODS} for row in rows}


async def _measured(row: Row, sandbox: Sandbox, asking: ModelEngine, model: str, calls: int) -> dict[str, Told]:
    settings: dict[str, Any] = {"model": model, "program": row.program, "suite": row.visible}
    settings |= {"max_output_tokens": asking.max_output_tokens}
    question = "Find what is wrong in the program and mend it."
    ours = await refiner.solve(question, strategy="repair", max_calls=calls, **settings)
    budget = max(ours.usage.input_tokens + ours.usage.output_tokens, 1)
    theirs = await refiner.solve(question, strategy="textgrad", max_iterations=99, max_tokens=budget, **settings)
    single, best, spent, first = await _sampled(asking, sandbox, row, budget)
    used = theirs.usage.input_tokens + theirs.usage.output_tokens
    answers = ((single, first), (best, spent), (theirs.answer, used), (ours.answer, budget))
    return {
        method: Told(answer is not None and await _passes(sandbox, answer, row.hidden), tokens)
        for method, (answer, tokens) in zip(METHODS, answers, strict=True)
    }


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


def figures(told: Results) -> list[Figure]:
    """The share of solved rows of each method with its interval, and `repair` against each of the others."""
    solved = {method: [one[method].solved for one in told.values()] for method in METHODS}
    ours, shares = solved["repair"], []
    for method, right in solved.items():
        low, high = wilson(sum(right), len(right))
        beside = f"{sum(right)}/{len(right)}, Wilson 95 %: {low * 100:.0f} to {high * 100:.0f}"
        beside += f"; {sum(one[method].tokens for one in told.values()):,} tokens"
        shares.append(Figure(f"solved: {method}", 100 * sum(right) / len(right), "%", beside=beside))
    for method, right in solved.items():
        if method != "repair":
            low, high = paired_bootstrap(ours, right).interval
            gain = 100 * (sum(ours) - sum(right)) / len(ours)
            target = 15.0 if method == "one shot" else None
            beside = f"paired bootstrap, 95 %: {low * 100:+.0f} to {high * 100:+.0f}"
            shares.append(Figure(f"repair − {method}", gain, "points", target, most=False, beside=beside))
    return shares


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--rows", type=int, default=40)
    parser.add_argument("--model", default="local")
    parser.add_argument("--calls", type=int, default=8)
    parser.add_argument("--results", type=Path)
    options = parser.parse_args()
    asked = list(rows(options.file, options.rows))
    show(figures(anyio.run(measure_rows, asked, options.model, options.calls, options.results)))


if __name__ == "__main__":
    main()
