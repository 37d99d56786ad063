"""Events as JSON and back, without loss: long texts go out as {"$text": digest} and are put back."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from refiner.domain.events import Event
from refiner.domain.wire import adapter
from refiner.store.texts import Put, digest_of

_REF = "$text"
_SHORT = 120
"""Characters that stay within an event: a digest of its own would be longer than what it saves."""


def encode(event: Event, put: Put) -> str:
    """The event as ASCII JSON; long texts are handed to `put`."""
    # The values go through Python and not through pydantic's own JSON, which refuses lone surrogates.
    return json.dumps(_set_aside(adapter().dump_python(event, mode="json"), put))


def decode(payload: str, texts: Mapping[str, str]) -> Event:
    """The event of a payload. Raises KeyError where a text is missing, ValueError where it is no event."""
    return adapter().validate_python(json.loads(payload, object_hook=lambda value: _put_back(value, texts)))


def refs(payload: str) -> Iterator[str]:
    """The digests that a payload refers to."""
    found: list[str] = []
    json.loads(payload, object_hook=lambda value: found.append(value[_REF]) if _REF in value else value)
    return iter(found)


def slot(place: str) -> str:
    """A place as a column holds it: itself, or a digest where it is long or has characters of its own."""
    return place if len(place) <= _SHORT and place.isprintable() else digest_of(place)


def _set_aside(value: Any, put: Put) -> Any:
    if isinstance(value, str):
        return value if len(value) <= _SHORT else {_REF: put(value)}
    if isinstance(value, dict):
        return {key: _set_aside(item, put) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_set_aside(item, put) for item in value]
    return value


def _put_back(value: dict[str, Any], texts: Mapping[str, str]) -> Any:
    return texts[value[_REF]] if _REF in value else value
