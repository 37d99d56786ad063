"""What tokens cost, from the tables of genai-prices as they were installed: nothing is fetched."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from refiner.domain.calls import Usage

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars for a million tokens; a long prompt costs more where `tiered`."""

    input: float
    cached_input: float
    output: float
    tiered: bool


def price(provider: str, model: str, usage: Usage, *, written: int | None = None, batch: bool = False) -> float | None:
    """US dollars for a usage; None where the price is unknown.

    provider is an id of genai-prices or a base URL. written is how many of the input tokens were written to the
    provider's cache, which may cost more than plain ones; None is not known, and then the dearer of both is taken,
    so that a reservation is never below the true price; for the same reason a model whose price in a batch is not known
    costs what it does without.
    """
    most = usage.input_tokens - usage.cached_input_tokens
    sums = [
        _price(provider, model, usage, amount, batch=batch) for amount in ((0, most) if written is None else (written,))
    ]
    return None if None in sums else max(value for value in sums if value is not None)


def prices_of(model: str) -> Prices | None:
    """The prices of a model named PROVIDER:NAME; None where they are unknown."""
    from genai_prices.types import TieredPrices

    provider, _, name = model.partition(":")
    info = _model(provider, name)
    if info is None:
        return None
    standard = info.get_prices(datetime.now(UTC))
    given, cached, replied = standard.input_mtok, standard.cache_read_mtok, standard.output_mtok
    if given is None or replied is None:
        return None
    tiered = any(isinstance(value, TieredPrices) for value in (given, cached, replied))
    least, least_cached, least_replied = (
        float(value.base if isinstance(value, TieredPrices) else value) for value in (given, cached or given, replied)
    )
    return Prices(least, least_cached, least_replied, tiered)


def seller(url: str) -> str:
    """Whose prices hold at a base URL: its own where the tables know it, else OpenAI's.

    A gateway passes OpenAI's models on at their price; a model that OpenAI does not have stays without one.
    """
    from genai_prices.data_snapshot import get_snapshot

    try:
        get_snapshot().find_provider(None, None, url)
    except LookupError:
        return "openai"
    return url


def context_tokens(provider: str, model: str) -> int | None:
    """The most tokens that a model reads, where the tables know it."""
    info = _model(provider, model)
    return info.context_window if info else None


def _price(provider: str, model: str, usage: Usage, written: int, *, batch: bool) -> float | None:
    from genai_prices import Usage as Priced

    if (info := _model(provider, model)) is None:
        return None
    tokens = Priced(
        input_tokens=usage.input_tokens,
        cache_read_tokens=usage.cached_input_tokens,
        cache_write_tokens=written,
        output_tokens=usage.output_tokens,
    )
    try:
        of = info.get_prices(datetime.now(UTC), {"processing": "batch"} if batch else None)
        return float(of.calc_price(tokens)["total_price"])
    except (LookupError, ValueError):
        return None


@cache
def _model(provider: str, model: str) -> "ModelInfo | None":
    from genai_prices.data_snapshot import get_snapshot

    place = _place(provider)
    try:
        return get_snapshot().find_provider_model(model, None, place.get("provider_id"), place.get("provider_api_url"))[
            1
        ]
    except LookupError:
        return None


def _place(provider: str) -> dict[str, Any]:
    return {"provider_api_url" if "://" in provider else "provider_id": provider}
