"""Replies that must never take the place of an answer."""

import re

from rapidfuzz import fuzz

from refiner.domain.calls import Finish
from refiner.verify.detect import labelled
from refiner.verify.statement import hollow, statements

_SECTION = re.compile(r"<(task|question|candidate|evaluation|feedback|constraints|examples|improved)_*>")
_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})(.*)$", re.MULTILINE)
_LEAST = 40
"""Characters below which words in common say nothing."""
_ALIKE = 90.0
_WHOLE = 95.0
"""As alike as a prompt and itself with section tags around its task."""
_PART = 0.4
"""How much of the instruction a shorter reply must repeat."""


def problem(new: str, *, old: str | None, prompt: str, finish: Finish, task: str = "") -> str | None:
    """Why a reply must not replace an answer: "empty", "truncated", "unchanged" or "echoed"; None when it may.

    old is the text it would replace, None for a draft. prompt is what was asked, whole or only the instruction at its
    end, task what stood before the instruction: a reply is an echo when it gives the instruction, our section tags or
    an unfilled place back. Words of the task alone are no echo, for an answer may consist of them.
    """
    if not _FENCE.sub("", new).strip():
        return "empty"
    if finish is Finish.LENGTH or _fence_open(new):
        return "truncated"
    if old is not None and new.split() == old.split():
        return "unchanged"
    return "echoed" if _echoed(new, old or "", prompt, task) else None


def _fence_open(text: str) -> bool:
    """Whether a text ends inside a code fence."""
    opened = ""
    for fence, rest in _FENCE.findall(text):
        if not opened:
            opened = fence
        elif fence.startswith(opened) and not rest.strip():
            opened = ""
    return bool(opened)


def _echoed(new: str, old: str, prompt: str, task: str) -> bool:
    text, asked = _squashed(new), _squashed(f"{task} {prompt}")
    between = (_squashed(inner) for _, inner in re.findall(r"<(\w+)>(.*?)</\1>", prompt))
    if text in between or _open_place(new):
        return True
    if len(set(_SECTION.findall(new)) - set(_SECTION.findall(old))) >= 2:
        return True
    instruction = _squashed(prompt.strip().rpartition("\n\n")[2])
    if min(len(text), len(instruction)) < _LEAST or instruction in _squashed(old):
        return False
    if any(text == _squashed(option.text) for option in labelled(prompt)):
        return False
    if len(text) <= len(instruction):
        return len(text) >= _PART * len(instruction) and _alike(text, instruction)
    # A draft may repeat the prompt and then answer; a rewrite with the instruction in it is spoilt.
    return _alike(instruction, text) and (bool(old) or fuzz.ratio(asked, text, score_cutoff=_WHOLE) > 0)


def _alike(shorter: str, text: str) -> bool:
    words = set(shorter.split())
    if 2 * len(words & set(text.split())) < len(words):  # few words in common: no need for the costly look
        return False
    return fuzz.partial_ratio(shorter, text, score_cutoff=_ALIKE) > 0


def _open_place(text: str) -> bool:
    if hollow(text.strip()):
        return True
    stated = next(statements(text), None) if len(text.split()) <= 4 else None
    return stated is not None and hollow(stated.text)


def _squashed(text: str) -> str:
    return " ".join(text.casefold().split())
