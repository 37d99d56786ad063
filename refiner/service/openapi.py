"""The table of what the service can be asked: each operation answers requests, and describes itself in OpenAPI 3.1."""

import inspect
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from typing import Any

import anyio
from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from refiner.domain.errors import UsageError
from refiner.service.answers import Refusal
from refiner.service.bodies import Alone, Body, Given, Headers, Query

MOST_BODY = 16 << 20
"""Bytes of a request: a program with its tests is far smaller."""

PATIENCE = 30.0
"""Seconds that the body of a request may take to come."""

_JSON = "application/json"


class TooLargeError(UsageError):
    """A body of more than MOST_BODY bytes."""


class NotJsonError(UsageError):
    """A body that does not say that it is JSON."""


class LateError(UsageError):
    """A body that takes longer than PATIENCE."""


@dataclass(frozen=True)
class Operation:
    """A method of an address. The handler's parameters say what it takes: the texts of its path, and kinds of Given.

    answer: the type that a success holds; None is text. statuses: those of a success.
    """

    method: str
    path: str
    handler: Callable[..., Awaitable[Response]]
    answer: Any
    statuses: tuple[int, ...] = (200,)
    media: str = _JSON

    async def __call__(self, request: Request) -> Response:
        """Raises UsageError for what the operation does not take."""
        given: dict[str, Any] = {}
        for name, kind in self._takes.items():
            if issubclass(kind, Body):
                given[name] = kind.read(await _body(request))
            elif issubclass(kind, Given):
                given[name] = kind.of(request.query_params if issubclass(kind, Query) else request.headers)
            else:
                given[name] = request.path_params[name]
        if not any(isinstance(value, Query) for value in given.values()):
            Alone.of(request.query_params)
        return await self.handler(**given)

    @cached_property
    def _takes(self) -> dict[str, type]:
        return {name: each.annotation for name, each in inspect.signature(self.handler).parameters.items()}

    @cached_property
    def body(self) -> type[Body] | None:
        return next((kind for kind in self._takes.values() if issubclass(kind, Body) and kind.model_fields), None)

    def described(self, ref: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        """The operation as OpenAPI says it; ref gives a type's place among the components."""
        said = inspect.getdoc(self.handler) or ""
        held = {self.media: {"schema": ref(self.answer) if self.answer else {"type": "string"}}}
        refused = {"description": Refusal.__doc__, "content": {_JSON: {"schema": ref(Refusal)}}}
        successes = {str(status): {"description": said, "content": held} for status in self.statuses}
        told: dict[str, Any] = {
            "operationId": "-".join((self.method.lower(), *re.sub("[{}]", "", self.path).strip("/").split("/"))),
            "summary": said.partition(";")[0].partition(".")[0],
            "description": said,
            "parameters": list(self._parameters()),
            "responses": {**successes, "4XX": refused, "5XX": refused},
        }
        if self.body:
            told["requestBody"] = {"required": True, "content": {_JSON: {"schema": ref(self.body)}}}
        return told

    def _parameters(self) -> Sequence[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for name, kind in self._takes.items():
            if kind is str:
                about = 'An id, a unique prefix of one, or "@" for the latest.'
                schema = {"type": "string", "minLength": 1, "examples": ["@"]}
                found.append({"name": name, "in": "path", "required": True, "description": about, "schema": schema})
            elif issubclass(kind, Query | Headers):
                place = "query" if issubclass(kind, Query) else "header"
                for field, schema in kind.model_json_schema()["properties"].items():
                    shown = {key: value for key, value in schema.items() if key != "title" and value is not None}
                    title = field.title() if place == "header" else field
                    found.append({"name": title, "in": place, "description": kind.__doc__, "schema": shown})
        return found


def routes(operations: Sequence[Operation]) -> list[Route]:
    """One route to an address, so that a wrong method is told all right ones."""
    places: defaultdict[str, dict[str, Operation]] = defaultdict(dict)
    for operation in operations:
        places[operation.path][operation.method] = operation
    return [Route(path, _answering(methods), methods=list(methods)) for path, methods in places.items()]


def description(operations: Sequence[Operation]) -> dict[str, Any]:
    """The whole service in OpenAPI 3.1."""
    kinds = [Refusal, *(operation.answer for operation in operations), *(operation.body for operation in operations)]
    inputs: list[Any] = [
        (str(kind), "validation" if inspect.isclass(kind) and issubclass(kind, Body) else "serialization", adapter)
        for kind in kinds
        if kind is not None
        for adapter in (TypeAdapter(kind),)
    ]
    schemas, shared = TypeAdapter.json_schemas(inputs, ref_template="#/components/schemas/{model}")
    by_kind = {key: schema for (key, _), schema in schemas.items()}
    paths: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for operation in operations:
        paths[operation.path][operation.method.lower()] = operation.described(lambda kind: by_kind[str(kind)])
    return {
        "openapi": "3.1.0",
        "info": {"title": "refiner", "version": version("refiner"), "description": "Runs, kept alive."},
        "paths": paths,
        "components": {"schemas": shared["$defs"]},
    }


def _answering(methods: dict[str, Operation]) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        return await methods["GET" if request.method == "HEAD" else request.method](request)

    return answer


async def _body(request: Request) -> bytes:
    """The whole body; of one that is too large uvicorn reads the rest, and keeps none of it."""
    data = bytearray()
    try:
        with anyio.fail_after(PATIENCE):
            async for part in request.stream():
                data += part
                if len(data) > MOST_BODY:
                    raise TooLargeError(f"the request is larger than {MOST_BODY >> 20} MiB")
    except TimeoutError as error:
        raise LateError(f"the request did not come to its end within {PATIENCE:g} seconds") from error
    if data and request.headers.get("content-type", "").partition(";")[0].strip().lower() != _JSON:
        raise NotJsonError(f"the body of a request is JSON: send it with Content-Type: {_JSON}")
    return bytes(data)
