"""What the service takes: bodies, parameters and headers of its requests. What it does not know is an error."""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema

from refiner.config.settings import Settings
from refiner.config.solving import SOLVING
from refiner.domain.code import Suite
from refiner.domain.errors import UsageError

_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_RFC3339 = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})")
_MOST = (1 << 63) - 1
"""The largest number that a database holds."""


def _digits(value: object) -> object:
    if not isinstance(value, str):
        return value
    if not (value.isascii() and value.isdecimal() and len(value) <= 19):
        raise ValueError("not a whole number")
    return int(value)


def _moment(value: object) -> object:
    # pydantic would take a bare number of seconds as well.
    if isinstance(value, str) and not _RFC3339.fullmatch(value):
        raise ValueError("not a time such as 2026-11-28T12:00:00Z")
    return value


def _whole(value: object) -> object:
    """JSON has one kind of number: 3.0 is 3."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


# A bound stands before its validator, or the schema does not know it.
Number = Annotated[int, Field(ge=0, le=_MOST), BeforeValidator(_digits)]
Amount = Annotated[int, Field(ge=0, le=_MOST), BeforeValidator(_whole)]
Moment = Annotated[AwareDatetime, BeforeValidator(_moment), Field(strict=False)]
Priority = Annotated[int, Field(ge=-100, le=100), BeforeValidator(_whole)]
Absent = SkipJsonSchema[None]


class Given(BaseModel):
    """One part of a request; _noun says what its fields are called there."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    _noun: ClassVar[str] = "field"

    @classmethod
    def of(cls, values: Mapping[str, str]) -> Self:
        """From parameters or headers. Raises UsageError that names the first that is wrong."""
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise cls._wrong(error) from None

    @classmethod
    def _wrong(cls, error: ValidationError) -> UsageError:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        # pydantic's place of an optional value ends with how it was tried.
        place = ".".join(str(part) for part in first["loc"] if "[" not in str(part))[:200]
        if first["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
            return UsageError(f"there is no {cls._noun} {place!r}")
        return UsageError(f"{place + ': ' if place else ''}{first['msg'].removeprefix('Value error, ')}")


class Body(Given):
    """The JSON of a mutation."""

    @classmethod
    def read(cls, data: bytes) -> Self:
        """Raises UsageError that names the first field that is wrong; no database holds NUL in a text."""
        if _NUL.search(data):
            raise UsageError("the request has the character NUL in a text: leave it out")
        try:
            return cls.model_validate_json(data if data or cls.model_fields else b"{}")
        except ValidationError as error:
            raise cls._wrong(error) from None


class Query(Given):
    """The parameters of an address."""

    _noun = "parameter"


class Headers(Given):
    """The headers that matter; a request has many others."""

    model_config = ConfigDict(extra="ignore")
    _noun = "header"


class Nothing(Body):
    """A request that says all in its address."""


class Alone(Query):
    """An address without parameters."""


class Latest(Query):
    """How many of the latest, behind how many, and since when they have to have changed."""

    limit: Annotated[int, Field(ge=1, le=10_000), BeforeValidator(_digits)] = 100
    offset: Number = 0
    since: Moment | Absent = None


class Newest(Query):
    """How many of the latest."""

    limit: Annotated[int, Field(ge=1, le=10_000), BeforeValidator(_digits)] = 100


class Other(Query):
    """The eval that is compared with it: an id, a unique prefix of one, or "@" for the latest."""

    other: str = Field("@", min_length=1)


class Behind(Query):
    """Events with a larger id."""

    after: Number = 0


class Heard(Query):
    """Which events: of one run, and behind an id that the client names where it cannot set the header."""

    run: str | Absent = None
    after: Number | Absent = None


class Last(Headers):
    """The id of the last event that the client has seen."""

    last: Number | Absent = Field(None, alias="last-event-id")


class By(Headers):
    """Who asks, for the record."""

    who: str = Field("the service's user", alias="x-refiner-user", min_length=1, max_length=100)


class Wanted(Headers):
    """The form in which the client reads best."""

    accept: str = ""


class Once(Headers):
    """A word of the client's own, which makes a repetition harmless."""

    key: str | Absent = Field(None, alias="idempotency-key", min_length=1, max_length=255)


class Submission(Body):
    """A task: its text, for code the program and its tests, settings by name as in refiner.toml ("vote.most")."""

    input: str = Field(json_schema_extra={"pattern": r"\S"})
    program: str | None = None
    suite: Suite | None = None
    settings: dict[Annotated[str, Field(max_length=100)], Any] = Field(
        default_factory=dict,
        json_schema_extra={"propertyNames": {"pattern": rf"^({'|'.join(sorted(SOLVING))})(\.[^.]+)*$"}},
    )
    submitter: str = Field("", max_length=100)
    priority: Priority = 0

    @field_validator("suite")
    @classmethod
    def _below(cls, suite: Suite | None) -> Suite | None:
        for name in (suite.program, *(name for name, _ in suite.files)) if suite else ():
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or not path.name:
                raise ValueError(f"{name!r} is no path below the tests' folder")
        return suite

    @field_validator("settings")
    @classmethod
    def _solving(cls, settings: dict[str, Any]) -> dict[str, Any]:
        for name in settings:
            if name.partition(".")[0] in Settings.model_fields.keys() - SOLVING:
                raise ValueError(f"{name} is the service's own: set it where the service is configured")
        return settings


class ForkAt(Body):
    """The candidate that a fork begins from, and at most one text that it changes."""

    chain: Amount = 0
    iteration: Amount
    critique: str | None = None
    gradient: str | None = None
    answer: str | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(text is not None for text in (self.critique, self.gradient, self.answer)) > 1:
            raise ValueError("a fork changes one text: leave all but one of critique, gradient and answer out")
        return self


class Hold(Body):
    """How many seconds the next critique waits before it is used."""

    seconds: float = Field(gt=0, le=86_400, allow_inf_nan=False)


class Critique(Body):
    """What stands in for the critique of an iteration that is not in use yet; blank it is a veto."""

    chain: Amount = 0
    iteration: Amount
    critique: str


class Budget(Body):
    """New limits of a live run, by the names of the flags; those that are not named stay."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    max_calls: Amount | None = None
    max_tokens: Amount | None = None
    max_cost: float | None = Field(None, ge=0, allow_inf_nan=False)
    max_time: float | None = Field(None, ge=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _any(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("say what it may spend: max_calls, max_tokens, max_cost or max_time")
        return self
