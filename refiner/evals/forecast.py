"""What an eval will cost before anything is spent."""

from dataclasses import replace

from refiner.app.forecast import Forecast
from refiner.app.forecast import forecast as of_run
from refiner.domain.calls import Provider, Usage
from refiner.domain.run import Limits
from refiner.evals.running import Conditions
from refiner.prompts import Prompts


def forecast(conditions: Conditions, provider: Provider, prompts: Prompts) -> Forecast:
    """The usage of all items within the limits; controls use about as many tokens as what they are compared with."""
    found = [of_run(conditions.plan(number, 0), provider, prompts) for number in range(len(conditions.items))]
    times = conditions.replicates * (2 if conditions.control else 1)

    def total(usages: list[Usage]) -> Usage:
        return _within(_times(sum(usages, Usage()), times), conditions.limits)

    return Forecast(*(total([getattr(one, name) for one in found]) for name in ("least", "expected", "most")))


def _times(usage: Usage, times: int) -> Usage:
    cost = None if usage.cost_usd is None else usage.cost_usd * times
    return replace(
        usage,
        calls=usage.calls * times,
        input_tokens=usage.input_tokens * times,
        output_tokens=usage.output_tokens * times,
        cost_usd=cost,
    )


def _within(usage: Usage, limits: Limits) -> Usage:
    """As much of it as the tightest limit lets through."""
    bounds = ((limits.calls, usage.calls), (limits.tokens, usage.tokens), (limits.cost_usd, usage.cost_usd))
    share = min((most / used for most, used in bounds if most is not None and used), default=1.0)
    if share >= 1:
        return usage
    cost = None if usage.cost_usd is None else usage.cost_usd * share
    calls, read, written = (int(each * share) for each in (usage.calls, usage.input_tokens, usage.output_tokens))
    return replace(usage, calls=calls, input_tokens=read, output_tokens=written, cost_usd=cost)
