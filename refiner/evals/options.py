"""What an eval was told, so that it can be gone on with on another day: settings, data sets, the wanted items."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from refiner.app.plan import plan_of
from refiner.config.settings import Dataset, Settings
from refiner.domain.errors import UsageError
from refiner.domain.evals import EvalRow
from refiner.domain.run import Limits, Plan
from refiner.domain.task import Kind
from refiner.evals.datasets.fields import Fields
from refiner.evals.datasets.item import Item
from refiner.evals.datasets.load import chosen, distinct, items
from refiner.evals.running import Conditions
from refiner.evals.tasks import hidden, task_of_item
from refiner.evals.waves import ITEMS

PLANNED = {
    "answer_type",
    "base_url",
    "chains",
    "code",
    "concurrency",
    "critic_model",
    "datasets",
    "max_iterations",
    "max_output_tokens",
    "patience",
    "policies",
    "policy",
    "reasoning_effort",
    "seed",
    "strategy",
    "target",
    "temperature",
    "until",
    "updater_model",
    "vote",
}
"""The settings that an eval keeps. Its limits are its own: those of a run are the eval's as a whole."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which items of which sets. fields: `--map` for those sets that are files."""

    datasets: tuple[str, ...]
    limit: int | None = None
    sample: int | None = None
    ids: tuple[str, ...] = ()
    map: str | None = None

    def items(self, settings: Settings) -> tuple[Item, ...]:
        """The items, with tests that can be run. Raises UsageError, naming the line of a bad row, and NotFoundError."""
        kind = None if settings.answer_type == "auto" else Kind(settings.answer_type)
        every = distinct(
            (name, item) for name in self.datasets for item in _read(name, self.map, kind, settings.datasets)
        )
        found = chosen(every, limit=self.limit, sample=self.sample, seed=settings.seed, ids=self.ids)
        for item in found:
            if item.kind is Kind.CODE:
                task_of_item(item)
                hidden(item)
        return found


@dataclass(frozen=True, slots=True)
class Options:
    """All that decides an eval; `settings` are those of PLANNED."""

    wanted: Wanted
    model: str
    settings: Settings
    limits: Limits
    replicates: int = 1
    control: bool = True
    vote: str = "own"
    batch: bool = False

    def to_json(self) -> dict[str, Any]:
        """What EvalRow.options holds."""
        return {
            **asdict(self),
            "settings": self.settings.model_dump(mode="json", include=PLANNED),
            "strategy": self.settings.strategy,
        }

    @classmethod
    def of(cls, row: EvalRow) -> "Options":
        told = row.options
        wanted = {**told["wanted"], "datasets": row.datasets, "ids": tuple(told["wanted"]["ids"])}
        settings = Settings.model_validate(told["settings"], strict=False)
        limits = Limits(**told["limits"])
        batch = bool(told.get("batch"))
        return cls(Wanted(**wanted), row.model, settings, limits, row.replicates, row.control, row.vote, batch)

    def conditions(self, found: Sequence[Item]) -> Conditions:
        """How the items are run. Raises UsageError for a strategy or a rule that does not exist or fit."""
        together = min(ITEMS, max(1, len(found) * self.replicates)) if self.batch else self.settings.concurrency
        own = dict.fromkeys(("max_calls", "max_tokens", "max_cost", "max_time"))
        bare = self.settings.model_copy(update={**own, "concurrency": ITEMS if self.batch else together})

        def plan(number: int, replicate: int) -> Plan:
            made = plan_of(task_of_item(found[number]), bare, self.model)
            return replace(made, seed=made.seed + replicate)

        return Conditions(found, plan, self.replicates, self.control, self.limits, self.vote, together)


def limits_of(settings: Settings) -> Limits:
    """What the flags of a run's limits mean for an eval: all of it together."""
    return Limits(settings.max_calls, settings.max_tokens, settings.max_cost, settings.max_time)


def _read(name: str, mapped: str | None, kind: Kind | None, known: Mapping[str, Dataset]) -> Iterator[Item]:
    if (table := known.get(name)) is None:
        return items(name, Fields.parse(mapped) if mapped else None, kind)
    if table.path is None:
        raise UsageError(f"datasets.{name} has no path: say in refiner.toml where the set is")
    columns = table.model_dump(exclude={"path", "answer_type"}, exclude_none=True)
    own = kind if table.answer_type in (None, "auto") else Kind(table.answer_type)
    return items(str(Path(table.path).expanduser()), Fields.of(columns), own)
