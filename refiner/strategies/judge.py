"""A judge that likes whatever comes first is asked in both orders, and believed only when it says the same in both."""

from collections.abc import Awaitable, Callable
from typing import Literal

from refiner.autograd.prompt import Prompt, Section, ask
from refiner.domain.calls import Role
from refiner.prompts import Prompts
from refiner.run.engines import StepEngine
from refiner.verify.statement import statements

Ask = Callable[[str, str, str], Awaitable[str]]
"""The judge's reply to a place, and to what is shown as A and as B."""

Pick = Literal["new", "old", "neither", "unreadable"]


def asking(engine: StepEngine, task: str, prompts: Prompts) -> Ask:
    """A judge of answers to a task."""

    async def said(place: str, first: str, second: str) -> str:
        shown = (Section("answer_A", first), Section("answer_B", second))
        prompt = Prompt(prompts["system"], (Section("task", task), *shown), prompts["judge_text"], shared=1)
        return (await ask(engine, prompt, Role.JUDGE, place)).text

    return said


async def wins(ask: Ask, new: str, old: str) -> bool:
    """Whether a judge prefers the new one, shown as B and then as A (Zheng et al., 2306.05685)."""
    return await _pick(ask, 0, new, old) == "new" and await _pick(ask, 1, new, old) == "new"


async def picks(ask: Ask, new: str, old: str) -> tuple[Pick, Pick]:
    """What a judge prefers where the new one is shown as B, and where it is shown as A."""
    return await _pick(ask, 0, new, old), await _pick(ask, 1, new, old)


async def _pick(ask: Ask, order: int, new: str, old: str) -> Pick:
    shown: tuple[tuple[Pick, str], ...] = (("old", old), ("new", new))
    first, second = shown[::-1] if order else shown
    said = next(statements(await ask(f"judge.{order}", first[1], second[1])), None)
    words: dict[str, Pick] = {"A": first[0], "B": second[0], "NEITHER": "neither"}
    return words.get(said.text.strip(" .*()").upper(), "unreadable") if said else "unreadable"
