"""What a run can be told from more than one screen."""

from collections.abc import Awaitable, Callable, Sequence
from math import isfinite

from textual.binding import Binding
from textual.screen import Screen

from refiner.config.settings import seconds
from refiner.domain.errors import RefinerError
from refiner.domain.run import Control, Limits
from refiner.tui.screens.ask import AskScreen
from refiner.tui.screens.fields import Field, FieldsScreen
from refiner.tui.source import Source

STEERING = (
    Binding("p", "steer('pause')", "Pause", id="pause", tooltip="Start no further call for now", show=False),
    Binding("s", "steer('stop')", "Stop", id="stop", tooltip="End it, and keep the best", show=False),
    Binding("x", "steer('cancel')", "Cancel", id="cancel", tooltip="End it at once; it can be resumed", show=False),
    Binding("r", "steer('resume')", "Resume", id="resume", tooltip="Go on where it was", show=False),
    Binding("b", "budget", "Budget", id="budget", tooltip="Change what it may spend", show=False),
)

_ASKS: dict[Control, str] = {
    "stop": "End {} and keep the best answer?",
    "cancel": "End {} at once? Calls under way are paid for and lost.",
    "resume": "Go on with {}? That spends again.",
}


def named(runs: Sequence[str]) -> str:
    return f"run {runs[0]}" if len(runs) == 1 else f"{len(runs)} runs"


async def asked(screen: Screen[None], question: str) -> bool:
    """Whether the user says yes; only within a worker."""
    yes: bool = await screen.app.push_screen_wait(AskScreen(question))
    return yes


async def tried(screen: Screen[None], work: Callable[[], Awaitable[object]]) -> bool:
    """Do it, and tell what was in the way; whether it is done."""
    try:
        await work()
    except RefinerError as error:
        screen.notify(str(error), severity="error", markup=False)
        return False
    return True


async def steer(screen: Screen[None], source: Source, control: Control, runs: Sequence[str], *, spends: bool) -> None:
    """Tell runs something; what ends them or spends asks first."""
    if not runs:
        return
    question = _ASKS.get(control) if control != "resume" or spends else None
    if question and not await asked(screen, question.format(named(runs))):
        return
    done = [run for run in runs if await tried(screen, lambda run=run: source.ask(run, control))]  # type: ignore[misc]
    if done:
        screen.notify(f"asked {named(done)} to {control}")


async def rebudget(screen: Screen[None], source: Source, runs: Sequence[str], now: Limits) -> None:
    """Ask what runs may spend, and tell them."""
    if not runs:
        return
    fields = (
        Field("calls", "calls at the most", _shown(now.calls), whole),
        Field("tokens", "tokens at the most, in and out", _shown(now.tokens), whole),
        Field("cost", "US dollars at the most", _shown(now.cost_usd), dollars),
        Field("time", "time at the most, such as 90s or 10m", _shown(now.seconds), duration),
    )
    said = await screen.app.push_screen_wait(FieldsScreen(f"What {named(runs)} may spend; blank leaves it", fields))
    if said is None or not any(value is not None for value in said.values()):
        return
    limits = Limits(said["calls"], said["tokens"], said["cost"], said["time"])
    done = [run for run in runs if await tried(screen, lambda run=run: source.budget(run, limits))]  # type: ignore[misc]
    if done:
        screen.notify(f"{named(done)} keeps to the new budget")


def whole(text: str) -> int | None:
    if text and not (text.isascii() and text.isdecimal()):
        raise ValueError("a whole number, such as 20")
    return int(text) if text else None


def dollars(text: str) -> float | None:
    try:
        value = float(text) if text else 0.0
    except ValueError:
        value = -1.0
    if value < 0 or not isfinite(value):
        raise ValueError("US dollars, such as 0.50")
    return value if text else None


def duration(text: str) -> float | None:
    value = seconds(text) if text else None
    if isinstance(value, float) and not (value > 0 and isfinite(value)):
        raise ValueError('a duration such as "90s" or "10m"')
    return value if isinstance(value, float) else None


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
