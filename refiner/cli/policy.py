"""`refiner policy`: the stop rules that have a name, and what an expression means."""

from collections.abc import Mapping

import click

from refiner.cli import output
from refiner.cli.groups import Noun
from refiner.cli.options import Context, common
from refiner.domain.errors import NotFoundError


@click.group(cls=Noun)
def policy() -> None:
    """List, show and check stop rules."""


@policy.command("list")
@common
def list_policies(context: Context) -> None:
    """All policies that --policy takes by name: refiner's own and those of [policies]."""
    known = _known(context)
    if context.json:
        output.json_line([{"name": name, "expression": text} for name, text in known.items()])
    else:
        output.table(("POLICY", "STOPS WHEN"), list(known.items()))


@policy.command()
@click.argument("name")
@common
def show(context: Context, name: str) -> None:
    """What the policy NAME says, rule by rule."""
    from difflib import get_close_matches

    known = _known(context)
    if name not in known:
        near = get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
        raise NotFoundError(f'there is no policy "{name}": {hint}')
    _explain(context, known[name], known)


@policy.command()
@click.argument("expression")
@common
def check(context: Context, expression: str) -> None:
    """Whether EXPRESSION can be used with --until, and what it means."""
    _explain(context, expression, _known(context))


def _known(context: Context) -> Mapping[str, str]:
    from refiner.policies.presets import PRESETS

    return {**PRESETS, **context.settings.policies}


def _explain(context: Context, expression: str, known: Mapping[str, str]) -> None:
    from refiner.policies.language import parse
    from refiner.policies.policy import describe

    parsed = parse(expression, known)
    if context.json:
        output.json_line({"expression": str(parsed), "rules": describe(parsed)})
    else:
        output.text("\n".join([str(parsed), *(f"  {rule}" for rule in describe(parsed))]))
