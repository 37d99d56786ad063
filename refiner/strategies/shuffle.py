"""A choice task with its options in another order, so that a model's liking for a letter does not decide."""

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from refiner.domain.task import Option, Task

_SPOKEN = r"((?i:options?|choices?|answers?(?:\s+is)?)\W{0,6}?)([A-Z])\b"
_LISTED = r"(^\s*\**)([A-Z])(?=[).:])"
_BOXED = r"(\\boxed\{\W?)([A-Z])(?=\W?\})"
_LABEL = re.compile(rf"(\()([A-Z])(?=\))|{_LISTED}|{_SPOKEN}|{_BOXED}", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Shuffled:
    """The task as a chain sees it; `original` maps each letter shown to the letter that its option really has."""

    task: Task
    original: Mapping[str, str]

    def restore(self, text: str) -> str:
        """A reply with the letters that it speaks of mapped back."""

        def back(found: re.Match[str]) -> str:
            groups = [group for group in found.groups() if group is not None]
            before, label = groups
            return before + self.original.get(label, label)

        return _LABEL.sub(back, text)


def shuffled(task: Task, seed: int) -> Shuffled:
    """The task with the texts of its options dealt anew to the same letters, by seed.

    A task whose options cannot be found in its text, in their order, is left as it is.
    """
    spans = _spans(task)
    order = list(range(len(task.options)))
    random.Random(seed).shuffle(order)  # noqa: S311
    if spans is None or order == sorted(order):
        return Shuffled(task, MappingProxyType({}))
    text, end = "", 0
    for (start, stop), source in zip(spans, order, strict=True):
        text += task.text[end:start] + task.options[source].text
        end = stop
    text += task.text[end:]
    options = tuple(
        Option(option.label, task.options[source].text) for option, source in zip(task.options, order, strict=True)
    )
    original = {option.label: task.options[source].label for option, source in zip(task.options, order, strict=True)}
    return Shuffled(replace(task, text=text, options=options), MappingProxyType(original))


def _spans(task: Task) -> list[tuple[int, int]] | None:
    spans: list[tuple[int, int]] = []
    end = 0
    for option in task.options:
        pattern = re.compile(rf"(?<!\w){re.escape(option.label)}\W{{1,4}}{re.escape(option.text)}", re.IGNORECASE)
        if not option.text or (found := pattern.search(task.text, end)) is None:
            return None
        end = found.end()
        spans.append((end - len(option.text), end))
    return spans or None
