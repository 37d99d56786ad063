"""Tolerant reading of a rewrite: the last pair of tags, else a fence or the plain text."""

import re

_FENCE = re.compile(r"```[^\n`]*\n(.*?)(?:\n```|\Z)", re.DOTALL)


def extract(reply: str, tag: str = "improved", *, fenced: bool = False) -> str:
    """The text between the last pair of tags; an opening tag that is never closed counts to the end.

    Without tags the plain reply, or with `fenced` the last fenced block of it, is taken. Never raises.
    """
    pairs: list[str] = re.findall(rf"<{tag}>(.*?)</{tag}>", reply, re.DOTALL)
    if pairs:
        text = pairs[-1]
    else:
        _, opened, rest = reply.rpartition(f"<{tag}>")
        text = rest if opened else reply.replace(f"</{tag}>", "")
    blocks: list[str] = _FENCE.findall(text) if fenced else []
    if blocks:
        text = blocks[-1]
    return text.strip()
