"""The flags that several commands share: models, limits and how a task is solved."""

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

LAYERS = click.Choice(["auto", "bubblewrap", "landlock", "off"])
_TYPES = click.Choice(["auto", "choice", "number", "text", "code"])
MODELS = (
    click.option("-m", "--model", metavar="PROVIDER:NAME", help="openai:…, anthropic:…, local, local:FILE."),
    click.option("--critic-model", metavar="MODEL", help="The model that criticises."),
    click.option("--updater-model", metavar="MODEL", help="The model that rewrites."),
    click.option("--base-url", metavar="URL", help="An OpenAI-compatible server."),
    click.option("--answer-type", type=_TYPES, help="How the answer is read and compared."),
)
LIMITS = (
    click.option("-n", "--max-iterations", type=int, metavar="N", help="Updates of a chain at the most."),
    click.option("--max-calls", type=int, metavar="N", help="Calls at the most."),
    click.option("--max-tokens", type=int, metavar="N", help="Tokens at the most, in and out."),
    click.option("--max-cost", type=float, metavar="USD", help="US dollars at the most."),
    click.option("--max-time", metavar="TIME", help="How long at the most, such as 90s or 10m."),
    click.option("--patience", type=int, metavar="N", help="Fruitless updates in a row that end a chain."),
    click.option("--target", type=float, metavar="SCORE", help="The score that ends a chain."),
    click.option("--until", metavar="EXPR", help='A stop rule, such as "agree:2 | cost:0.25".'),
    click.option("--policy", metavar="NAME", help="A named stop rule."),
    click.option("--max-output-tokens", type=int, metavar="N", help="The longest reply."),
    click.option("--temperature", type=float, metavar="X", help="How freely the model samples."),
    click.option("--seed", type=int, metavar="N", help="Fixes every shuffle, and the sampler where there is one."),
    click.option("--concurrency", type=int, metavar="N", help="Calls at a time."),
)
FIELDS = {"max_calls": "calls", "max_tokens": "tokens", "max_cost": "cost_usd", "max_time": "seconds"}
"""What some of them are among refiner.domain.run.Limits."""

SETTINGS = (
    *MODELS,
    click.option("-s", "--strategy", metavar="NAME", help="auto, textgrad, refine, vote, compare, repair, fuse."),
    click.option("-k", "--chains", type=int, metavar="N", help="Independent chains."),
    *LIMITS,
)
ITEMS = (
    click.option("--limit", type=click.IntRange(1), metavar="N", help="The first items only."),
    click.option("--sample", type=click.IntRange(1), metavar="N", help="So many items, drawn by --seed."),
    click.option("--ids", multiple=True, metavar="ID,…", help="These items only."),
    click.option("--map", "mapped", metavar="FIELD=COLUMN,…", help="Which columns an item is made of."),
)
ASKING = (
    click.option("--dry-run", is_flag=True, help="Say what it would do and cost; make no call."),
    click.option("-y", "--yes", is_flag=True, help="Do not ask, whatever it may cost."),
    click.option("--no-input", is_flag=True, help="Never ask: what would need a question is an error."),
)


def with_options(options: Sequence[Callable[[F], F]]) -> Callable[[F], F]:
    """Give a command options, in their order."""
    return lambda command: reduce(lambda made, option: option(made), reversed(options), command)
