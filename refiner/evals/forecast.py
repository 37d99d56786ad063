"""What an eval will cost before anything is spent."""

from dataclasses import replace

from refiner.app.forecast import Forecast, Providers, within
from refiner.app.forecast import forecast as of_run
from refiner.domain.calls import Usage
from refiner.evals.running import Conditions
from refiner.prompts import Prompts


def forecast(conditions: Conditions, providers: Providers, prompts: Prompts) -> Forecast:
    """The usage of all items within the limits; controls use about as many tokens as what they are compared with."""
    found = [of_run(conditions.plan(number, 0), providers, prompts) for number in range(len(conditions.items))]
    times = conditions.replicates * (2 if conditions.control else 1)

    def total(usages: list[Usage]) -> Usage:
        return within(_times(sum(usages, Usage()), times), conditions.limits)

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
