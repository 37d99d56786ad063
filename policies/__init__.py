"""Stop rules: pure functions of a run's state, joined with `|` and `&`, and the language that names them."""

from refiner.policies.agreement import Agree, Similar
from refiner.policies.budget import Calls, Cost, Iterations, Time, Tokens, limits
from refiner.policies.language import RULES, parse
from refiner.policies.policy import AllOf, AnyOf, Never, Policy, describe
from refiner.policies.presets import PRESETS
from refiner.policies.progress import Patience, Target
from refiner.policies.verdict import AllTests, Clean

__all__ = [
    "PRESETS",
    "RULES",
    "Agree",
    "AllOf",
    "AllTests",
    "AnyOf",
    "Calls",
    "Clean",
    "Cost",
    "Iterations",
    "Never",
    "Patience",
    "Policy",
    "Similar",
    "Target",
    "Time",
    "Tokens",
    "describe",
    "limits",
    "parse",
]
