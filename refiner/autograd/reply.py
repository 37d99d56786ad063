"""Tolerant reading of a rewrite: the last pair of tags, else a fence or the plain text."""

import re

from refiner.domain.calls import Finish, Reply

_FENCED = re.compile(r"```[^\n`]*\n((?:(?!\n```).)*)\n```", re.DOTALL)
_LEAD = re.compile(r"[^\n]*:[ \t]*\n\s*(?=```)")


def extract(reply: str, tag: str = "improved", *, fenced: bool = False) -> str:
    """The text between the last pair of tags; an opening tag that is never closed counts to the end.

    Without tags the plain reply is taken. fenced: a fence around all of it, but for a line that leads to it, is no part
    of the text. Never raises.
    """
    pairs: list[str] = re.findall(rf"<{tag}>(.*?)</{tag}>", reply, re.DOTALL)
    if pairs:
        text = pairs[-1]
    else:
        _, opened, rest = reply.rpartition(f"<{tag}>")
        text = rest if opened else _led(reply.replace(f"</{tag}>", ""), fenced=fenced)
    block = _FENCED.fullmatch(text.strip()) if fenced else None
    return (block[1] if block else text).strip()


def ending(reply: Reply, tag: str = "improved") -> Finish:
    """How the text that `extract` takes ended: one between tags is whole, wherever the reply was cut after it."""
    return Finish.STOP if re.search(rf"<{tag}>.*?</{tag}>", reply.text, re.DOTALL) else reply.finish


def _led(reply: str, *, fenced: bool) -> str:
    """A reply without "Here is the new version:" before its one fence."""
    lead = _LEAD.match(reply.strip()) if fenced else None
    rest = reply.strip()[lead.end() :] if lead else ""
    return rest if _FENCED.fullmatch(rest) else reply
