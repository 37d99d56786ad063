"""All that a report is made of."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

from refiner.config.settings import Settings
from refiner.domain.evals import CONTROLS, EvalRow, Results, sets
from refiner.evals.answers import Answer
from refiner.evals.figures import SCHEMA, Figures, figures
from refiner.evals.flips import Cause
from refiner.evals.options import PLANNED
from refiner.evals.reading import answers

REFINED = "refined"
CAUSES: Mapping[Cause, str] = MappingProxyType(
    {"update": "update", "selection": "choice of the answer", "rejected": "update held back"}
)

_ELSEWHERE = frozenset(("base_url", "concurrency", "datasets", "policies", "strategy"))
"""Settings that a report says elsewhere, or that are nobody else's business."""


@dataclass(frozen=True, slots=True)
class Report:
    """An eval, its answers in the order of the set, and their figures."""

    eval: EvalRow
    answers: tuple[Answer, ...]
    figures: Figures

    @property
    def title(self) -> str:
        return f"{self.eval.strategy} on {sets(self.eval.datasets)}"

    @property
    def told(self) -> str:
        """What the eval was told besides: items, settings that are not the default, and limits, by their names."""
        options, usual = self.eval.options, Settings().model_dump(mode="json", include=PLANNED)
        settings = {name: one for name, one in options.get("settings", {}).items() if one != usual.get(name)}
        said = {**options.get("wanted", {}), **settings, **options.get("limits", {})}
        shown = {name: one for name, one in said.items() if one and name not in _ELSEWHERE}
        words = {name: " ".join(one) if isinstance(one, (list, tuple)) else one for name, one in shown.items()}
        return ", ".join(f"{name.replace('_', ' ')} {one}" for name, one in words.items())

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know before the figures."""
        row, found = self.eval, list[str]()
        if row.over < row.parts:
            why = f": {row.why}" if row.why else ""
            found.append(f"Partial ({row.status}{why}): {row.over:,} of {row.parts:,} parts are over.")
        if not row.control:
            found.append("There was no control: how good the same model is without refinement is not known.")
        if any(one.outcome == "unjudged" for one in self.answers):
            found.append("Some answers have no gold answer, and are in no share: `refiner eval judge` compares them.")
        if failed := sum(one.failed for one in self.answers):
            found.append(
                f"{failed:,} {'answer' if failed == 1 else 'answers'} failed: counted apart, and not as wrong."
            )
        return tuple(found)

    def to_json(self) -> dict[str, Any]:
        """The object of `eval report --json`, the same to the byte for the same eval."""
        row = self.eval
        return {
            "schema": SCHEMA,
            "eval": {
                "id": row.id,
                "datasets": list(row.datasets),
                "options": dict(row.options),
                "status": row.status,
                "why": row.why,
                "created_at": row.created_at.isoformat(),
                "parts": row.parts,
                "over": row.over,
                "usage": asdict(row.usage),
                "seconds": row.seconds,
            },
            "notes": list(self.notes),
            "figures": self.figures.to_json(),
            "answers": [asdict(one) for one in self.answers],
        }


def report(results: Results, seed: int = 0) -> Report:
    """The report of an eval as far as it has come."""
    every = answers(results)
    return Report(results.eval, tuple(every), figures(every, CONTROLS, seed))
