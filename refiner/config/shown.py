"""Settings as people may see them."""

from pathlib import Path

from pydantic import SecretStr

from refiner.config.layers import leaves
from refiner.config.secrets import masked
from refiner.config.settings import Settings


def shown(settings: Settings) -> dict[str, object]:
    """Every setting by its whole name, such as "vote.most", with keys and passwords as ***."""
    return {".".join(key): _shown(value) for key, value in leaves(settings.model_dump())}


def _shown(value: object) -> object:
    match value:
        case SecretStr():
            return "***"
        case str() | Path():
            return masked(str(value))
        case tuple():
            return [_shown(each) for each in value]
        case _:
            return value
