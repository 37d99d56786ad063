"""What must not be shown: keys, and passwords inside URLs."""

import os
import re
from collections.abc import Mapping

_PASSWORD = re.compile(r"(?<=://)([^/\s:@]*):[^/\s@]+@|(?<=[?&]password=)[^&\s]+", re.IGNORECASE)
_KEY_NAME = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD)$")


def masked(text: str) -> str:
    """The text with the password of every URL in it replaced by ***."""
    return _PASSWORD.sub(lambda match: "***" if match[1] is None else f"{match[1]}:***@", text)


def without_keys(text: str, environ: Mapping[str, str] = os.environ) -> str:
    """The text without the value of any key that the environment holds, for logs."""
    for name, value in environ.items():
        if len(value) >= 8 and _KEY_NAME.search(name):
            text = text.replace(value, "***")
    return masked(text)
