"""The report as Markdown for a pull request, and as CSV for a spreadsheet."""

import csv
import re
from collections.abc import Iterator, Sequence
from io import StringIO

from refiner.domain.harmless import clean, line
from refiner.evals.answers import Answer
from refiner.evals.figures import ArmFigures, Comparison
from refiner.evals.report.facts import CAUSES, Report
from refiner.evals.report.words import dollars, interval, percent, points, share

COLUMNS = (
    "item", "replicate", "subject", "arm", "outcome", "answer", "gold", "visible", "margin", "calls", "input_tokens",
    "cached_input_tokens", "output_tokens", "cost_usd", "seconds", "run", "failure",
)  # fmt: skip


def markdown(report: Report) -> str:
    """The figures as Markdown."""
    found, row = report.figures, report.eval
    replicates = f" × {found.replicates} replicates" if found.replicates > 1 else ""
    settings = f" ({_cell(report.told)})" if report.told else ""
    said = [f"### {_cell(report.title)}", f"{row.id}: {_cell(row.model)}, {found.items} items{replicates}{settings}"]
    said += [f"> {_cell(note)}" for note in report.notes]
    said.append(table(ARMS, [arm_row(arm) for arm in found.arms]))
    if found.comparisons:
        told = f"; p corrected by {found.correction}" if found.correction else ""
        said.append(table(COMPARISONS, [comparison_row(one) for one in found.comparisons]))
        said.append(f"Percentage points on the same items; 95 % intervals; p exact and two-sided{told}.")
    for arm in found.arms:
        if arm.flips:
            said.append(f"Flips in {arm.name}:")
            head = ("cause", "iteration", "wrong → right", "right → wrong", "reason")
            said.append(table(head, list(_flips(arm))))
        if arm.deceived.share is not None:
            said.append(
                f"{arm.name}: of {arm.deceived.answers} answers that pass the visible tests, {share(arm.deceived)} "
                "fail the hidden ones."
            )
    return "\n\n".join(said) + "\n"


ARMS = ("arm", "right", "95 %", "failed", "unreadable", "calls", "tokens", "cached", "cost", "seconds")
COMPARISONS = ("pair", "items", "difference", "95 %", "better", "worse", "p", "corrected")


def arm_row(arm: ArmFigures) -> tuple[object, ...]:
    """An arm as a row below ARMS; ★ is that of the frontier."""
    return (
        f"{arm.name} ★" if arm.on_frontier else arm.name,
        percent(arm.accuracy.share),
        "–" if arm.accuracy.share is None else interval(arm.accuracy.interval),
        arm.failed,
        arm.unreadable,
        f"{arm.mean_calls:.2f}" if arm.seconds else "–",
        f"{arm.mean_tokens:.0f}" if arm.seconds else "–",
        percent(arm.cached),
        dollars(arm.mean_cost_usd if arm.seconds else None),
        f"{arm.seconds.mean:.1f}" if arm.seconds else "–",
    )


def comparison_row(one: Comparison) -> tuple[object, ...]:
    """A comparison as a row below COMPARISONS."""
    known = one.difference
    return (
        f"{one.ours} − {one.theirs}",
        one.items,
        points(known.mean) if known else "–",
        f"{points(known.interval.low)} to {points(known.interval.high)}" if known else "–",
        one.better,
        one.worse,
        f"{one.p:.2g}",
        f"{one.p_corrected:.2g}",
    )


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table of Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(_cell(str(cell)) for cell in cells)} |" for cells in lines)


def comma_separated(report: Report) -> str:
    """One line an answer, below the names of the columns."""
    written = StringIO(newline="")
    rows = csv.writer(written, lineterminator="\n")
    rows.writerow(COLUMNS)
    rows.writerows([_plain(cell) for cell in _row(one)] for one in report.answers)
    return written.getvalue()


def _row(one: Answer) -> tuple[object, ...]:
    usage = one.usage
    used = (usage.calls, usage.input_tokens, usage.cached_input_tokens, usage.output_tokens, usage.cost_usd)
    told = (one.item, one.replicate, one.subject, one.arm, one.outcome, one.parsed, one.gold, one.visible, one.margin)
    return (*told, *used, one.seconds, one.run, one.failure)


def _plain(cell: object) -> object:
    """A cell that no spreadsheet takes for a formula."""
    if not isinstance(cell, str):
        return cell
    text = clean(cell)
    return f"'{text}" if re.match(r"[=+@\t-](?![\d.,]+$)", text) else text


def _flips(arm: ArmFigures) -> Iterator[tuple[object, ...]]:
    for flip in arm.flips:
        at = "–" if flip.iteration is None else flip.iteration
        yield CAUSES[flip.cause], at, flip.repaired, flip.broken, flip.reason


def _cell(text: str) -> str:
    """A text that no Markdown acts on."""
    return re.sub(r"([\\`*_{}\[\]<>|#@!~$&])", r"\\\1", line(text))
