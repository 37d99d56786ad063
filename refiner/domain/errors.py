"""The one tree of errors: each class fixes the exit code of the process and the `kind` in JSON.

RefinerError            1  internal
├── UsageError          2  usage
│   ├── NotFoundError   2  not_found
│   ├── AmbiguousError  2  ambiguous
│   └── NotLiveError    2  usage
├── NoAnswerError       4  budget
├── ProviderError       5  provider_down
│   ├── AuthError       5  provider_auth
│   └── QuotaError      5  provider_quota
├── DaemonError         6  daemon_unreachable
│   ├── DaemonBusyError 6  daemon_busy
│   └── VersionError    6  version_skew
├── SandboxError        7  sandbox
└── StoreError          8  store
"""

from collections.abc import Iterator
from typing import ClassVar


class RefinerError(Exception):
    """Whatever refiner raises on purpose; its text is one line that says what to do."""

    exit_code: ClassVar[int] = 1
    kind: ClassVar[str] = "internal"
    run: str | None = None
    """The run that the error ended, where there is one."""


class UsageError(RefinerError):
    """A flag, a setting or an input that cannot be used."""

    exit_code = 2
    kind = "usage"


class NotFoundError(UsageError):
    """A name that stands for nothing: a run, a model, a file."""

    kind = "not_found"


class AmbiguousError(UsageError):
    """A prefix that stands for more than one run."""

    kind = "ambiguous"


class NotLiveError(UsageError):
    """A word to a run that nobody drives, nor will."""


class NoAnswerError(RefinerError):
    """The run stopped before it had any candidate."""

    exit_code = 4
    kind = "budget"


class ProviderError(RefinerError):
    """A call that a provider did not answer.

    retryable: the same call may succeed later. retry_after: seconds the provider asked to wait.
    billed: the provider may have worked on the call, so it is booked at its most.
    overloaded: the provider asked for fewer calls at a time (429, 529).
    """

    exit_code = 5
    kind = "provider_down"

    def __init__(
        self,
        message: str,
        *,
        retryable: bool = False,
        retry_after: float | None = None,
        billed: bool = False,
        overloaded: bool = False,
    ) -> None:
        super().__init__(message)
        self.retryable = retryable
        self.retry_after = retry_after
        self.billed = billed
        self.overloaded = overloaded


class AuthError(ProviderError):
    """The key is missing, wrong or not allowed to do this (401, 403)."""

    kind = "provider_auth"


class QuotaError(ProviderError):
    """The rate or the credit of the key is used up (429 after the retries)."""

    kind = "provider_quota"


class ContextLengthError(UsageError):
    """The prompt is longer than what the model can read.

    limit and length are in tokens, where the provider said them.
    """

    def __init__(self, message: str, *, limit: int | None = None, length: int | None = None) -> None:
        super().__init__(message)
        self.limit = limit
        self.length = length


class DaemonError(RefinerError):
    """The service cannot be reached."""

    exit_code = 6
    kind = "daemon_unreachable"


class DaemonBusyError(DaemonError):
    """A service is there already, or takes no more."""

    kind = "daemon_busy"


class VersionError(DaemonError):
    """The service is of another version than the program that speaks to it."""

    kind = "version_skew"


class SandboxError(RefinerError):
    """No sandbox works here, and code is never run without one."""

    exit_code = 7
    kind = "sandbox"


class StoreError(RefinerError):
    """The database is locked, full, corrupt or newer than the program.

    passing: the same may succeed later, without anybody having touched the run.
    """

    exit_code = 8
    kind = "store"

    def __init__(self, message: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.passing = passing


def error_of(kind: str | None, message: str) -> RefinerError:
    """The error that another process told of, by its kind."""
    return next((each for each in _tree(RefinerError) if each.kind == kind), RefinerError)(message)


def _tree(kind: type[RefinerError]) -> Iterator[type[RefinerError]]:
    """A class before those below it, which may share its kind."""
    yield kind
    for each in kind.__subclasses__():
        yield from _tree(each)
