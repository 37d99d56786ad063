"""A provider that answers by script, over real HTTP: OpenAI's chat completions and Anthropic's messages."""

from tests.scripted.script import (
    DROP,
    HTML,
    MALFORMED,
    STALL,
    Asked,
    Fault,
    Outcome,
    Reply,
    Rule,
    Script,
    by_rules,
    cut,
    in_order,
    status,
    unfinished,
    unsupported,
)
from tests.scripted.server import Billed, Scripted, serve

__all__ = [
    "DROP",
    "HTML",
    "MALFORMED",
    "STALL",
    "Asked",
    "Billed",
    "Fault",
    "Outcome",
    "Reply",
    "Rule",
    "Script",
    "Scripted",
    "by_rules",
    "cut",
    "in_order",
    "serve",
    "status",
    "unfinished",
    "unsupported",
]
