"""A small eval made by hand, for tests that look at what is said of one."""

from datetime import UTC, datetime

from refiner.domain.calls import Usage
from refiner.domain.evals import Answered, EvalRow, ItemRow, Mark, Results, Sitting
from refiner.domain.task import Kind

MOMENT = datetime(2026, 11, 28, 12, tzinfo=UTC)
OPTIONS = {
    "strategy": "textgrad",
    "model": "openai:gpt",
    "control": True,
    "replicates": 1,
    "vote": "own",
    "wanted": {"datasets": ["/home/somebody/mmlu.csv"], "sample": 5, "ids": []},
    "settings": {"strategy": "textgrad", "seed": 1, "until": "calls:6", "base_url": "http://somewhere", "target": None},
}


def sitting(letters: str, *, chains: bool = False, run: str | None = None) -> Sitting:
    """A candidate a letter, "-" for what cannot be read, A is right; of one chain, or each the draft of its own."""
    used = Usage(1 if chains else 2, 100, 40, 20, cost_usd=0.001)
    marks = tuple(
        Mark(
            chain=at if chains else 0,
            index=0 if chains else at,
            right=letter == "A",
            accepted=letter != "-",
            voter=letter != "-",
            answer=None if letter == "-" else letter,
            problem="unreadable" if letter == "-" else None,
            cause="no answer can be read from it" if letter == "-" else "it can be read",
            spent=used,
            seconds=at + 1.0,
        )
        for at, letter in enumerate(letters)
    )
    readable = [mark.place for mark in marks if mark.accepted]
    usage = sum((mark.spent for mark in marks), Usage())
    return Sitting(run, True, "", "", readable[-1] if readable else None, marks, usage, len(marks), (0.5,) * len(marks))


def results(rows: dict[str, tuple[str, str]], name: str = "e-1", **row: object) -> Results:
    """An eval of items whose candidates and samples are told in letters; "" is a part that failed."""
    answered = tuple(
        Answered(
            ItemRow(item, Kind.CHOICE, "A", "law" if at % 2 else "art", digest=item),
            0,
            sitting(refined, run=f"r-{item}") if refined else Sitting(f"r-{item}", failure="the provider is down"),
            sitting(samples, chains=True),
        )
        for at, (item, (refined, samples)) in enumerate(rows.items())
    )
    parts = {"status": "done", "over": 2 * len(rows), "options": OPTIONS, "usage": Usage(1), "seconds": 9.0, **row}
    return Results(
        EvalRow(name, ("mmlu:test",), created_at=MOMENT, updated_at=MOMENT, items=len(rows), **parts),  # type: ignore[arg-type]
        answered,
    )
