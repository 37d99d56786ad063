"""What n-gram speculation brings to an update call, which repeats most of its prompt, and what it costs a draft.

`python -m benchmarks.speculation` prints one line of JSON. Two servers of the same model, one with and one without, are
asked the same calls in pairs, in an order that a seed decides; the prompt is read beforehand, as in a run, where the
critique has read the same prefix.
"""

import difflib
import json
import random
import statistics
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import anyio

from benchmarks.figures import Figure
from refiner.config.paths import Paths
from refiner.domain.calls import Message, Provider, Reply, Request
from refiner.providers.local.provider import local_provider
from refiner.providers.local.settings import LocalSettings

MODEL = "local:qwen2.5-coder-0.5b"
SEED = 1
EDITS = (
    "Item.value must round its result to two decimals.",
    "`remove` must raise ValueError when count is larger than the stock.",
    "In `load`, rows whose stock is empty must count as 0.",
)
DRAFTS = (
    "Write a Python function that parses an ISO date without libraries, with a docstring and three asserts.",
    "Explain in 150 words why the sky is blue.",
    "Write a Python program that prints the first 20 primes, and explain it step by step.",
)
PROGRAM = '''\
"""Small inventory: items with prices and stock, read from CSV, reported as text."""

import csv
from dataclasses import dataclass, field


@dataclass
class Item:
    """A thing on the shelf."""
    name: str
    price: float
    stock: int = 0

    def value(self):
        return self.price * self.stock


@dataclass
class Inventory:
    items: dict = field(default_factory=dict)

    def add(self, item):
        if item.name in self.items:
            self.items[item.name].stock += item.stock
        else:
            self.items[item.name] = item

    def remove(self, name, count):
        item = self.items[name]
        item.stock = item.stock - count
        if item.stock == 0:
            del self.items[name]

    def total(self):
        return sum(item.value() for item in self.items.values())

    def below(self, limit):
        return sorted(item.name for item in self.items.values() if item.stock < limit)


def load(path):
    inventory = Inventory()
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            inventory.add(Item(row["name"], float(row["price"]), int(row["stock"])))
    return inventory


def report(inventory, limit=3):
    lines = []
    for name, item in sorted(inventory.items.items()):
        lines.append(f"{name:<20}{item.price:>10.2f}{item.stock:>6}")
    lines.append(f"total {inventory.total():.2f}")
    for name in inventory.below(limit):
        lines.append(f"order more: {name}")
    return "\\n".join(lines)


if __name__ == "__main__":
    print(report(load("inventory.csv")))
'''


@dataclass(frozen=True, slots=True)
class Pair:
    """The same call without and with speculation; kept is the part of the program's lines that the reply has too."""

    plain: Reply
    ahead: Reply
    kept: float

    @property
    def ratio(self) -> float:
        return speed(self.ahead) / speed(self.plain)


def speed(reply: Reply) -> float:
    """Tokens a second of a whole call."""
    return reply.usage.output_tokens / reply.seconds


def measure(*, quick: bool = False) -> list[Figure]:
    """The medians of the pairs, for updates and for drafts."""
    rounds = 1 if quick else 3
    updates, drafts = anyio.run(_measure, rounds)
    return [
        Figure("update call with n-gram speculation", _median(updates), "×", 1.5, most=False, beside=_beside(updates)),
        Figure("draft with n-gram speculation", _median(drafts), "×", beside=_beside(drafts)),
    ]


def update(edit: str) -> Request:
    """A call that rewrites PROGRAM and keeps nearly all of it."""
    task = f"Here is a Python program.\n\n```python\n{PROGRAM}```"
    instruction = (
        f"Feedback: {edit}\n\nRewrite the program so that it takes up the feedback. Change nothing else. "
        "Answer with the whole program in one ```python block."
    )
    return Request((Message("user", (task, instruction)),), 900, temperature=0.0, seed=SEED, prediction=PROGRAM)


def draft(question: str) -> Request:
    return Request((Message("user", (question,)),), 200, temperature=0.0, seed=SEED)


async def _measure(rounds: int) -> tuple[list[Pair], list[Pair]]:
    order = random.Random(SEED)
    with tempfile.TemporaryDirectory() as runtime:
        async with _model(Path(runtime), speculation=False) as plain, _model(Path(runtime), speculation=True) as ahead:
            updates = [await _pair(plain, ahead, update(edit), order) for _ in range(rounds) for edit in EDITS]
            drafts = [await _pair(plain, ahead, draft(question), order) for _ in range(rounds) for question in DRAFTS]
    return updates, drafts


@asynccontextmanager
async def _model(runtime: Path, *, speculation: bool) -> AsyncIterator[Provider]:
    settings = LocalSettings(context=4096, parallel=1, keep_alive=0, speculation=speculation)
    provider = await local_provider(MODEL, models=Paths.find().models, runtime=runtime, settings=settings)
    try:
        yield provider
    finally:
        await provider.aclose()


async def _pair(plain: Provider, ahead: Provider, request: Request, order: random.Random) -> Pair:
    replies: dict[bool, Reply] = {}
    for first in order.sample((True, False), 2):
        provider = ahead if first else plain
        await provider.complete(replace(request, max_output_tokens=1))
        replies[first] = await provider.complete(request)
    lines = PROGRAM.splitlines()
    matcher = difflib.SequenceMatcher(None, lines, replies[True].text.splitlines(), autojunk=False)
    return Pair(replies[False], replies[True], sum(block.size for block in matcher.get_matching_blocks()) / len(lines))


def _median(pairs: Sequence[Pair]) -> float:
    return statistics.median(pair.ratio for pair in pairs)


def _beside(pairs: Sequence[Pair]) -> str:
    plain, ahead = (statistics.median(map(speed, replies)) for replies in _replies(pairs))
    return f"{ahead:.1f} against {plain:.1f} tokens/s"


def _replies(pairs: Sequence[Pair]) -> tuple[list[Reply], list[Reply]]:
    return [pair.plain for pair in pairs], [pair.ahead for pair in pairs]


def main() -> None:
    updates, drafts = anyio.run(_measure, 3)
    told = {"model": MODEL, "pairs": len(updates), "kept": round(min(pair.kept for pair in updates), 2)}
    for name, pairs in (("update", updates), ("draft", drafts)):
        plain, ahead = (statistics.median(map(speed, replies)) for replies in _replies(pairs))
        told[name] = {"plain": round(plain, 1), "speculation": round(ahead, 1), "ratio": round(_median(pairs), 2)}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
