"""The report as one page that needs no network and no script."""

from collections import Counter
from collections.abc import Mapping

from refiner.domain.errors import UsageError
from refiner.domain.harmless import clean
from refiner.domain.state import RunState
from refiner.evals.report.facts import CAUSES, REFINED, Report
from refiner.evals.report.pages import clipped, pages
from refiner.evals.report.plots import plots
from refiner.evals.report.words import dollars

FILTERS = ("repaired", "broken", "right", "wrong", "unreadable", "failed", "unjudged")


def html(report: Report, states: Mapping[str, RunState]) -> str:
    """The page. states: the runs whose trajectories are shown, by id. Raises UsageError without the extra."""
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
        from markupsafe import Markup
    except ImportError:
        raise UsageError("a page needs jinja2: install it with pip install 'refiner[eval]'") from None

    def harmless(value: object) -> object:
        # Whatever a model, a data set or a provider wrote; escaping follows.
        return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    environment = Environment(
        loader=PackageLoader("refiner.evals.report", "."),
        autoescape=True,
        finalize=harmless,
        undefined=StrictUndefined,
        lstrip_blocks=True,
    )
    environment.filters |= {"dollars": dollars, "clipped": clipped}
    every = pages(report.answers, states, REFINED)
    found = Counter(mark for page in every for mark in page.marks)
    return environment.get_template("page.html.jinja").render(
        eval=report.eval,
        title=report.title,
        begun=f"{report.eval.created_at:%Y-%m-%d %H:%M} UTC",
        told=report.told,
        notes=report.notes,
        figures=report.figures,
        plots={title: Markup(svg) for title, svg in plots(report.figures).items()},  # noqa: S704 - made here
        causes=CAUSES,
        subjects=sorted({subject for arm in report.figures.arms for subject in arm.subjects}),
        filters={word: found[word] for word in FILTERS if found[word]},
        pages=every,
    )
