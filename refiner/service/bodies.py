"""What the service takes: the bodies of its requests, in which an unknown field is an error."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from refiner.domain.code import Suite
from refiner.domain.errors import UsageError


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=False)

    @classmethod
    def of(cls, data: bytes) -> "Body":
        """The body of a request. Raises UsageError that names the first field that is wrong."""
        try:
            return cls.model_validate_json(data or b"{}")
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise UsageError(f"{place + ': ' if place else ''}{first['msg']}") from error


class Nothing(Body):
    """A request that says all in its address."""


class Submission(Body):
    """A task: its text, for code the program and its tests, settings by name as in refiner.toml ("vote.most")."""

    input: str
    program: str | None = None
    suite: Suite | None = None
    settings: dict[str, Any] = Field(default_factory=dict)
    submitter: str = ""
    priority: int = 0


class ForkAt(Body):
    """The candidate that a fork begins from, and at most one text that it changes."""

    chain: int = Field(0, ge=0)
    iteration: int = Field(ge=0)
    critique: str | None = None
    gradient: str | None = None
    answer: str | None = None


class Budget(Body):
    """New limits of a live run, by the names of the flags; those that are not named stay."""

    max_calls: int | None = Field(None, ge=0)
    max_tokens: int | None = Field(None, ge=0)
    max_cost: float | None = Field(None, ge=0, allow_inf_nan=False)
    max_time: float | None = Field(None, ge=0, allow_inf_nan=False)
