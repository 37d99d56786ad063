"""What a scripted provider is asked, what it answers, and the scripts that decide it."""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Api = Literal["openai", "anthropic"]


def pieces(text: str) -> list[str]:
    """The tokens of a text: its words, each with the blanks that follow it."""
    return re.findall(r"\S+\s*|\s+", text)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it arrived; `number` counts from 0, header names are lower case."""

    api: Api
    number: int
    body: dict[str, Any]
    headers: Mapping[str, str]

    @property
    def messages(self) -> list[tuple[str, str]]:
        """Role and text of each message, Anthropic's system text first."""
        system = [("system", _text(self.body["system"]))] if "system" in self.body else []
        return system + [(message["role"], _text(message["content"])) for message in self.body["messages"]]

    @property
    def last(self) -> str:
        return self.messages[-1][1]

    @property
    def input_tokens(self) -> int:
        return sum(len(pieces(text)) for _, text in self.messages)

    @property
    def most(self) -> int | None:
        """The most output tokens that the request allows, reasoning included."""
        return self.body.get("max_completion_tokens") or self.body.get("max_tokens")

    @property
    def key(self) -> str:
        return self.headers.get("x-api-key") or self.headers.get("authorization", "").removeprefix("Bearer ")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. usage=False leaves the usage out; pause is in seconds between the deltas of a stream."""

    text: str = ""
    reasoning: str = ""
    refusal: bool = False
    usage: bool = True
    cached: int = 0
    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class Fault:
    """Anything but an answer.

    status: an error reply. stall: no reply until the client or the server closes. drop: the connection closes before
    a reply, cut: in the middle of one. unfinished: a stream that ends in good order but without its end.
    malformed, html: a reply of status 200 that is not JSON. error: an error inside a stream that began well.
    """

    kind: Literal["status", "stall", "drop", "cut", "unfinished", "malformed", "html", "error"]
    status: int = 200
    error: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str = ""


Outcome = Reply | Fault | str
Script = Callable[[Asked], Outcome]

STALL, DROP, MALFORMED, HTML = Fault("stall"), Fault("drop"), Fault("malformed"), Fault("html")


def cut(text: str = "this reply never reaches its end") -> Fault:
    return Fault("cut", text=text)


def unfinished(text: str = "this stream ends without its end") -> Fault:
    return Fault("unfinished", text=text)


def status(
    number: int, /, message: str = "scripted failure", *, retry_after: float | str | None = None, **error: Any
) -> Fault:
    """An error reply; further keywords (type, code, param, ...) go into its error object."""
    headers = {} if retry_after is None else {"retry-after": str(retry_after)}
    return Fault("status", number, {"message": message, **error}, headers)


def unsupported(parameter: str, then: Script) -> Script:
    """A model that refuses a parameter in OpenAI's words, and otherwise does as `then` says."""
    return by_rules([Rule(_refusal(parameter), has=parameter)], then)


@dataclass(frozen=True, slots=True)
class Rule:
    """An outcome and when it applies.

    match: in the last message. has: a parameter that the request holds. times, seconds: only so often, or so long
    since the first request to the script.
    """

    outcome: Outcome
    match: str = ""
    has: str | None = None
    times: int | None = None
    seconds: float | None = None


def by_rules(rules: Sequence[Rule], default: Outcome | Script = "ok") -> Script:
    """A script that gives the outcome of the first rule that applies."""
    used = [0] * len(rules)
    began: float | None = None

    def script(asked: Asked) -> Outcome:
        nonlocal began
        began = time.monotonic() if began is None else began
        for index, rule in enumerate(rules):
            left = rule.times is None or used[index] < rule.times
            soon = rule.seconds is None or time.monotonic() - began < rule.seconds
            if left and soon and rule.match in asked.last and (rule.has is None or rule.has in asked.body):
                used[index] += 1
                return rule.outcome
        return default(asked) if callable(default) else default

    return script


def in_order(*outcomes: Outcome) -> Script:
    """A script that gives each outcome once, and then the last one for ever."""
    return by_rules([Rule(outcome, times=1) for outcome in outcomes], outcomes[-1])


def from_json(value: Any) -> Script:
    """A script from JSON: a list whose strings are replies given once, in order, and whose objects are rules.

    An object holds match, has, times and seconds as Rule does, and one of `reply` (a text, or the fields of Reply),
    `status` (with message, retry_after and what else the error object holds), `fault` (its kind) or `refuses` (the
    parameter). What is left when no rule applies is the last string, or "ok".
    """
    rules = [_rule(item) for item in value]
    texts = [item for item in value if isinstance(item, str)]
    return by_rules(rules, texts[-1] if texts else "ok")


def _rule(item: str | dict[str, Any]) -> Rule:
    if isinstance(item, str):
        return Rule(item, times=1)
    item = dict(item)
    rule = Rule("", **{name: item.pop(name) for name in ("match", "has", "times", "seconds") if name in item})
    if "reply" in item:
        reply = item.pop("reply")
        return replace(rule, outcome=Reply(**reply) if isinstance(reply, dict) else reply)
    if "refuses" in item:
        return replace(rule, outcome=_refusal(item["refuses"]), has=item["refuses"])
    if "status" in item:
        return replace(rule, outcome=status(item.pop("status"), **item))
    return replace(rule, outcome=Fault(item["fault"], text=item.get("text", "")))


def _refusal(parameter: str) -> Fault:
    return status(
        400,
        f"Unsupported parameter: '{parameter}' is not supported with this model.",
        type="invalid_request_error",
        param=parameter,
        code="unsupported_parameter",
    )


def _text(content: str | list[dict[str, Any]] | None) -> str:
    if isinstance(content, list):
        return "\n\n".join(part.get("text", "[image]") for part in content)
    return content or ""
