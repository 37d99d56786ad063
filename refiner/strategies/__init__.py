"""How drafts, iterations and selection are combined, one file a strategy; the gate and the selection."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from refiner.domain.run import Stop
from refiner.domain.task import Kind
from refiner.prompts import Prompts
from refiner.run.context import RunContext
from refiner.strategies.compare import TIMES, compare
from refiner.strategies.fuse import fuse
from refiner.strategies.repair import repair
from refiner.strategies.sample import sample
from refiner.strategies.selection import Voters
from refiner.strategies.textgrad import refine_directly, textgrad
from refiner.strategies.tune import tune
from refiner.strategies.vote import vote


@dataclass(frozen=True, slots=True)
class Strategy:
    """How a run is driven, and what it does unless the user says otherwise.

    chains, iterations: the defaults of -k and -n. calls: how many an iteration takes, beside: how many more a run may
    make. until: the strategy's own rules. voters: who votes on the answer.
    """

    drive: Callable[[RunContext, Prompts], Awaitable[Stop]]
    sentence: str
    chains: int
    iterations: int
    calls: int = 2
    beside: int = 0
    until: str = "clean | agree:2"
    voters: Voters = "iterates"


STRATEGIES: Mapping[str, Strategy] = MappingProxyType(
    {
        "textgrad": Strategy(
            textgrad, "the published protocol: three calls an iteration, vote over all iterates", 1, 3
        ),
        "refine": Strategy(refine_directly, "critique and gradient in one call: two calls an iteration", 1, 3),
        "vote": Strategy(
            vote, "adaptive majority over independent answers, each refined with -n", 6, 0, voters="finals"
        ),
        "compare": Strategy(
            compare,
            "the vote, and where it stays contested, the distinct answers compared step by step",
            6,
            0,
            beside=TIMES,
            voters="finals",
        ),
        "repair": Strategy(
            repair,
            "programs tried against their tests, wider or deeper as it pays, until one passes",
            6,
            3,
            calls=1,
            beside=5,
            until="patience:2",
        ),
        "fuse": Strategy(
            fuse,
            "drafts fused into one, criticised by a rubric, rewritten, judged in both orders",
            4,
            2,
            calls=4,
            until="clean",
            voters="nobody",
        ),
        "sample": Strategy(
            sample,
            "independent answers that nobody refines, and their vote: what evals compare with",
            6,
            0,
            voters="finals",
        ),
        "tune": Strategy(
            tune,
            "textual gradient descent on a prompt, from examples with right answers: `refiner tune`",
            1,
            0,
            until="",
            voters="nobody",
        ),
    }
)


def automatic(kind: Kind) -> str:
    """The strategy of `auto`: answers that can be compared are voted on, free text is refined, code repaired."""
    if kind is Kind.CODE:
        return "repair"
    return "vote" if kind in (Kind.CHOICE, Kind.NUMBER) else "refine"
