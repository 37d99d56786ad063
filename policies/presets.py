"""Policies by name. A `refiner.toml` may add to these and replace them."""

from collections.abc import Mapping
from types import MappingProxyType

PRESETS: Mapping[str, str] = MappingProxyType(
    {
        "quick": "tests | clean | patience:1 | iterations:2",
        # Of programs that pass a few visible tests most fail hidden ones: the critic has a word too.
        "careful": "(tests & clean) | (clean & agree:2) | patience:3 | iterations:8",
        "thrifty": "tests | clean | agree:2 | patience:1 | calls:8 | cost:0.05",
    }
)
