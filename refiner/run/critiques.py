"""Critiques that are not in use yet: somebody may edit them, and a run can wait for that."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import anyio

from refiner.domain.events import Evaluation, Note, Steered
from refiner.domain.run import Verdict, Word
from refiner.run.journal import Journal

Read = Callable[[str], Verdict]


@dataclass(slots=True)
class Open:
    """A critique that is not in use yet; read: what another one in its place comes to."""

    evaluation: Evaluation
    read: Read
    done: anyio.Event = field(default_factory=anyio.Event)


class Critiques:
    """Those of one run, by their place (chain/iteration)."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._hold: float | None = None
        self._open: dict[str, Open] = {}
        self._editing = anyio.Lock()

    def hold(self, seconds: float) -> None:
        """Let the next critique wait for so long before it is used, or until it is edited or let go.

        The end of a pause before then changes nothing in that.
        """
        self._hold = seconds

    def let_go(self) -> None:
        """Those that wait do so no longer."""
        for critique in self._open.values():
            critique.done.set()

    async def opened(self, evaluation: Evaluation, read: Read) -> tuple[Open, float | None]:
        """Record a critique, and how many seconds it is to wait. An edit before a crash stands."""
        await self._journal.record(evaluation)
        past = self._journal.state.chain(evaluation.chain).steps[evaluation.index].evaluation
        edited = past is not None and past.edit is not None and past.at == evaluation.at
        critique = self._open[evaluation.at] = Open(past if past and edited else evaluation, read)
        seconds, self._hold = self._hold, None
        return critique, seconds

    async def used(self, critique: Open) -> Evaluation:
        """What is used from now on, and can be edited no longer."""
        async with self._editing:
            return self._open.pop(critique.evaluation.at).evaluation

    async def edit(self, word: Word) -> None:
        """Put what the word says in a critique's place, recorded together with it; one that is in use stays."""
        rewrite = word.rewrite
        assert rewrite is not None  # noqa: S101
        place = f"{rewrite.chain}/{rewrite.iteration}"
        async with self._editing:
            if (critique := self._open.get(place)) is None:
                late = Note(f"the edit of critique {place} came too late: it is not waiting to be used")
                known = late.text in self._journal.state.notes
                await self._journal.record(Steered(word), *([] if known else [late]))
                return
            verdict = critique.read(rewrite.critique)
            edited = replace(critique.evaluation, critique=rewrite.critique, verdict=verdict, edit=word.number)
            await self._journal.record(Steered(word), edited)
            critique.evaluation = edited
            critique.done.set()
