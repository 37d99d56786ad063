"""The language of `--until`: `tests | (patience:2 & cost:0.25)`.

policy = both { ("|" | "or") both }
both   = rule { ("&" | "and") rule }
rule   = "(" policy ")" | NAME | NAME ":" FIGURE
"""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from refiner.domain.errors import UsageError
from refiner.policies import figures
from refiner.policies.agreement import Agree, Similar
from refiner.policies.budget import Calls, Cost, Iterations, Time, Tokens
from refiner.policies.policy import Never, Policy
from refiner.policies.presets import PRESETS
from refiner.policies.progress import Patience, Target
from refiner.policies.verdict import AllTests, Clean

_TOKEN = re.compile(r"(?P<name>[A-Za-z][\w-]*)(?:\s*(?P<colon>:)\s*(?P<figure>[^\s|&():]*))?|[|&()]|\S")
_MOST_TOKENS = 60
_MOST_PRESETS = 8
"""How deep presets may refer to presets."""


class _Figured(NamedTuple):
    """A rule that takes a figure after a colon, and an example of one."""

    make: Callable[[str], Policy]
    example: str


_FIGURED: Mapping[str, _Figured] = {
    "iterations": _Figured(lambda text: Iterations(_count(text, 0)), "3"),
    "calls": _Figured(lambda text: Calls(_count(text, 1)), "10"),
    "tokens": _Figured(lambda text: Tokens(_count(text, 1)), "5k"),
    "cost": _Figured(lambda text: Cost(_above_zero(figures.decimal(text))), "0.25"),
    "time": _Figured(lambda text: Time(_above_zero(figures.seconds(text))), "10m"),
    "patience": _Figured(lambda text: Patience(_count(text, 1)), "2"),
    "target": _Figured(lambda text: Target(_share(text)), "0.9"),
    "agree": _Figured(lambda text: Agree(_count(text, 2)), "2"),
    "similar": _Figured(lambda text: Similar(_share(text)), "0.95"),
}
_PLAIN: Mapping[str, Policy] = {"tests": AllTests(), "clean": Clean(), "never": Never()}
RULES: tuple[str, ...] = (*_FIGURED, *_PLAIN)
"""The names of all rules."""


def parse(expression: str, presets: Mapping[str, str] = PRESETS) -> Policy:
    """The policy that an expression stands for; presets maps further names to expressions.

    Raises UsageError, which marks the place with a caret and names the nearest rule.
    """
    if taken := sorted({*RULES, "or", "and"} & presets.keys()):
        raise UsageError(f'a preset cannot be called "{taken[0]}": that word is taken')
    return _Parser(expression, presets).parse()


def _count(text: str, least: int) -> int:
    if (number := figures.count(text)) < least:
        raise UsageError(f"{text} is less than {least}")
    return number


def _above_zero(number: float) -> float:
    if number <= 0:
        raise UsageError("it has to be above 0")
    return number


def _share(text: str) -> float:
    if not 0 < (number := figures.decimal(text)) <= 1:
        raise UsageError(f"{text} is not above 0 and at most 1")
    return number


class _Parser:
    """Recursive descent over one expression; `within` are the presets that led here, outermost first."""

    def __init__(self, expression: str, presets: Mapping[str, str], within: tuple[str, ...] = ()) -> None:
        self._text = " ".join(expression.split())
        self._presets = presets
        self._within = within
        self._tokens = list(_TOKEN.finditer(self._text))
        self._at = 0

    def parse(self) -> Policy:
        if len(self._tokens) > _MOST_TOKENS:
            raise UsageError(f"a stop rule of {len(self._tokens)} words is too long: {_MOST_TOKENS} are allowed")
        policy = self._any()
        if token := self._next():
            raise self._error('this ")" closes nothing' if token[0] == ")" else 'put "|" or "&" before this')
        return policy

    def _any(self) -> Policy:
        policy = self._all()
        while self._take("|", "or"):
            policy = policy | self._all()
        return policy

    def _all(self) -> Policy:
        policy = self._one()
        while self._take("&", "and"):
            policy = policy & self._one()
        return policy

    def _one(self) -> Policy:
        if self._take("("):
            policy = self._any()
            if not self._take(")"):
                raise self._error('put ")" here')
            return policy
        token = self._next()
        if token is None or token["name"] in (None, "or", "and"):
            raise self._error("a rule is missing here")
        policy = self._rule(token["name"], token["figure"] or "", colon=token["colon"] is not None)
        self._at += 1
        return policy

    def _rule(self, name: str, figure: str, *, colon: bool) -> Policy:
        if rule := _FIGURED.get(name):
            if not figure:
                raise self._error(f'{name} needs a figure, as in "{name}:{rule.example}"')
            try:
                return rule.make(figure)
            except UsageError as error:
                raise self._error(f"{name}: {error}") from None
        if name not in _PLAIN and name not in self._presets:
            raise self._error(f'there is no rule "{name}"{self._nearest(name)}')
        if colon:
            raise self._error(f"{name} takes no figure")
        return _PLAIN[name] if name in _PLAIN else self._preset(name)

    def _preset(self, name: str) -> Policy:
        path = (*self._within, name)
        if name in self._within:
            raise UsageError(f"preset {name} refers to itself: {' → '.join(path)}")
        if len(path) > _MOST_PRESETS:
            raise UsageError(f"preset {path[0]} leads through more than {_MOST_PRESETS} others")
        return _Parser(self._presets[name], self._presets, path).parse()

    def _next(self) -> re.Match[str] | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _take(self, *marks: str) -> bool:
        token = self._next()
        taken = token is not None and token[0] in marks
        self._at += taken
        return taken

    def _nearest(self, name: str) -> str:
        from rapidfuzz import process

        known = [*RULES, *self._presets]
        nearest = process.extractOne(name, known, score_cutoff=60)
        return f': did you mean "{nearest[0]}"?' if nearest else f", only {', '.join(known)}"

    def _error(self, what: str) -> UsageError:
        token = self._next()
        place = token.start() if token else len(self._text)
        where = f"preset {self._within[-1]}" if self._within else "stop rule"
        return UsageError(f'{where} "{self._text[:place]}^{self._text[place:]}" at {place + 1}: {what}')
