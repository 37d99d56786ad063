"""What both protocols' replies come down to."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from refiner.domain.calls import Finish, Reply, Request, Usage
from refiner.providers import tokens


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply as a provider gave it. usage is without its price, and None where the provider did not say; written is
    how many input tokens went into the provider's cache."""

    text: str
    finish: Finish
    usage: Usage | None
    written: int = 0


def reply(
    request: Request, answer: Answer, price: Callable[[Usage, int], float | None], began: float, notes: tuple[str, ...]
) -> Reply:
    """The answer in the domain's words; `began` is when the call did, by time.perf_counter."""
    text = whole(answer.text)
    usage = answer.usage or Usage(
        calls=1,
        input_tokens=tokens.estimated(request.messages),
        output_tokens=tokens.estimate(text),
        estimated=True,
    )
    usage = replace(usage, cost_usd=price(usage, answer.written))
    return Reply(text, usage, answer.finish, time.perf_counter() - began, notes)


def told(answer: Answer, on_delta: Callable[[str], None] | None) -> Answer:
    """A reply that came in one piece, for whoever waits for deltas too."""
    if on_delta:
        on_delta(whole(answer.text))
    return answer


def whole(text: str) -> str:
    """The text with its lone surrogates replaced: JSON can carry them, and no terminal, file or request can."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
