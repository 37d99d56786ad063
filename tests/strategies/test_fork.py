"""Forks: what had happened is shared and costs nothing, and one text of it is another."""

from pathlib import Path

import pytest

from refiner.domain.errors import NotFoundError, UsageError
from refiner.domain.events import Event, Recorded
from refiner.domain.state import RunState
from refiner.strategies.drive import create, resume_run
from refiner.strategies.fork import Edit, forked
from tests.scripted.script import Asked
from tests.scripted.server import Scripted
from tests.strategies.worlds import by_role, plan, world_of

pytestmark = pytest.mark.anyio

QUESTION = "Why is the sky blue?"


def script(scripted: Scripted) -> None:
    scripted.script = by_role(
        draft="It is scattered light.",
        critique=lambda asked: f"Critique {asked.number} says: name the molecules.\nVerdict: flawed",
        gradient=lambda asked: f"Gradient {asked.number} says: add the molecules.",
        update=lambda asked: f"<improved>Update {asked.number}: {_told(asked)}</improved>",
    )


def _told(asked: Asked) -> str:
    return "with Rayleigh" if "Rayleigh" in asked.last else "with molecules"


async def forks(
    scripted: Scripted, folder: Path, edit: Edit, *, strategy: str = "refine", index: int = 1
) -> tuple[list[Event], RunState, list[Asked]]:
    """A run of three iterations, a fork of it, and what the fork asked for."""
    script(scripted)
    async with world_of(scripted, folder) as world:
        made = plan(QUESTION, strategy=strategy, answer_type="text", max_iterations=3)
        run = await create(world, made)
        await resume_run(world, run)
        before = len(scripted.asked)
        events = forked(run, await world.store.events(run), 0, index, edit)
        name = await world.store.new_id()
        await world.store.create(name)
        await world.store.append(name, events)
        state = await resume_run(world, name)
        return events, state, scripted.asked[before:]


@pytest.mark.parametrize("index", [0, 1, 2])
async def test_a_fork_shares_what_had_happened_and_pays_only_for_what_follows(
    scripted: Scripted, tmp_path: Path, index: int
) -> None:
    events, state, asked = await forks(scripted, tmp_path, Edit(), index=index)
    assert state.status == "done"
    assert state.usage.calls == len(asked) == 2 * (3 - index)
    texts = [step.candidate.text for step in state.chain(0).steps]
    shared = [event.text for event in events if event.type == "candidate"]
    assert texts[: index + 1] == shared


async def test_an_edited_critique_is_what_the_update_goes_by(scripted: Scripted, tmp_path: Path) -> None:
    _, state, asked = await forks(scripted, tmp_path, Edit(critique="Name Rayleigh."))
    assert "Name Rayleigh." in asked[0].last
    assert "with Rayleigh" in state.chain(0).steps[2].candidate.text
    assert state.usage.calls == 3  # no critique of the first iteration was bought


async def test_an_edited_gradient_is_what_the_update_goes_by(scripted: Scripted, tmp_path: Path) -> None:
    _, state, asked = await forks(scripted, tmp_path, Edit(gradient="Name Rayleigh."), strategy="textgrad")
    assert "Name Rayleigh." in asked[0].last
    assert "Critique" in asked[0].last
    assert "with Rayleigh" in state.chain(0).steps[2].candidate.text


async def test_an_edited_answer_is_what_is_criticised(scripted: Scripted, tmp_path: Path) -> None:
    _, state, asked = await forks(scripted, tmp_path, Edit(answer="Air scatters blue most."))
    assert "Air scatters blue most." in asked[0].last
    assert state.chain(0).steps[1].candidate.text == "Air scatters blue most."


async def test_what_cannot_be_forked_says_why(scripted: Scripted, tmp_path: Path) -> None:
    script(scripted)
    async with world_of(scripted, tmp_path) as world:
        run = await create(world, plan(QUESTION, strategy="vote", answer_type="text", chains=1))
        await resume_run(world, run)
        past: list[Recorded] = await world.store.events(run)
    with pytest.raises(NotFoundError, match="no candidate 0/7"):
        forked(run, past, 0, 7, Edit())
    with pytest.raises(UsageError, match="asks for no critique"):
        forked(run, past, 0, 0, Edit(critique="Say more."))
