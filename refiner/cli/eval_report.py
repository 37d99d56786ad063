"""`refiner eval report` and `refiner eval compare`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from refiner.cli import errors, output
from refiner.cli.options import Context, common
from refiner.cli.stored import stored
from refiner.domain.errors import UsageError

if TYPE_CHECKING:
    from refiner.domain.evals import Results
    from refiner.domain.state import RunState
    from refiner.evals.report.facts import Report
    from refiner.store.sql import SqlStore

FORMS = {".html": "html", ".htm": "html", ".md": "markdown", ".csv": "csv", ".json": "json"}


@click.command()
@click.argument("name", metavar="EVAL")
@click.option("-o", "--output", "file", type=click.Path(path_type=Path, dir_okay=False), help="Write it here.")
@click.option("--markdown", is_flag=True, help="As Markdown, for a pull request.")
@click.option("--csv", is_flag=True, help="As CSV, one line an answer.")
@common
def report(context: Context, name: str, file: Path | None, markdown: bool, csv: bool) -> None:
    """What EVAL found, as a page, Markdown, CSV or JSON; the ending of FILE says which, unless a flag does.

    EVAL is an id, the beginning of one, or @ for the latest. The page needs no network and no script.
    """
    from refiner.app.disk import check_writable, replace
    from refiner.evals.report.facts import report as made

    form = _form(file, json=context.json, markdown=markdown, csv=csv)
    if file:
        check_writable(file)
    told = made(stored(context, lambda store: _results(store, name)))
    text = _written(context, told, form)
    if file is None:
        return output.raw(text.encode("utf-8", "replace"))
    replace(file, text.encode("utf-8", "replace"))
    if not context.quiet:
        errors.note(f"wrote {file}")
    return None


@click.command()
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@common
def compare(context: Context, first: str, second: str) -> None:
    """What eval B gains on eval A, on the items that both have."""
    from refiner.evals.comparing import compared
    from refiner.evals.report.text import COMPARISONS, comparison_row

    async def both(store: "SqlStore") -> "tuple[Results, Results]":
        return await _results(store, first), await _results(store, second)

    found = compared(*stored(context, both))
    if context.json:
        return output.json_line(found.to_json())
    output.text(f"{found.second.id} ({found.second.strategy}) − {found.first.id} ({found.first.strategy})")
    rows = [(one.ours, *comparison_row(one)[1:]) for one in found.comparisons]
    output.table(("ARM", *(word.upper() for word in COMPARISONS[1:])), rows)
    if found.correction:
        output.text(f"p is exact and two-sided, corrected by {found.correction}")
    for why, ids in found.unpaired.items():
        items = "item" if len(ids) == 1 else "items"
        output.text(f"{len(ids):,} {items} {why}: {', '.join(ids[:5])}{', …' if len(ids) > 5 else ''}")
    return None


def _form(file: Path | None, *, json: bool, markdown: bool, csv: bool) -> str:
    asked = [form for form, wanted in (("json", json), ("markdown", markdown), ("csv", csv)) if wanted]
    if len(asked) > 1:
        raise UsageError(f"--{asked[0]} and --{asked[1]} do not go together")
    if asked:
        return asked[0]
    if file is None:
        raise UsageError("say where the page goes with -o report.html, or choose --markdown, --csv or --json")
    if file.suffix.lower() not in FORMS:
        raise UsageError(f"{file.name} ends in none of {', '.join(FORMS)}: choose --markdown, --csv or --json")
    return FORMS[file.suffix.lower()]


async def _results(store: "SqlStore", name: str) -> "Results":
    return await store.evals.results(await store.evals.find(name))


def _written(context: Context, told: "Report", form: str) -> str:
    from refiner.evals.report.facts import REFINED
    from refiner.evals.report.pages import telling
    from refiner.evals.report.text import comma_separated, markdown

    if form == "json":
        return json.dumps(told.to_json(), default=str) + "\n"
    if form != "html":
        return markdown(told) if form == "markdown" else comma_separated(told)

    from refiner.evals.report.html import html

    async def states(store: "SqlStore") -> "dict[str, RunState]":
        from refiner.domain.state import fold

        return {run: fold(await store.events(run)) for run in telling(told.answers, REFINED)}

    return html(told, stored(context, states))
