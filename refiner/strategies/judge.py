"""A judge that likes whatever comes first is asked in both orders, and believed only when it says the same in both."""

from collections.abc import Awaitable, Callable

from refiner.verify.statement import statements

Ask = Callable[[str, str, str], Awaitable[str]]
"""The judge's reply to a place, and to what is shown as A and as B."""


async def wins(ask: Ask, new: str, old: str) -> bool:
    """Whether a judge prefers the new one, shown as B and then as A (Zheng et al., 2306.05685)."""
    for place, first, second, wanted in (("judge.0", old, new, "B"), ("judge.1", new, old, "A")):
        said = next(statements(await ask(place, first, second)), None)
        if said is None or said.text.strip(" .*()").upper() != wanted:
            return False
    return True
