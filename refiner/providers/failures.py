"""What can go wrong with a call, in the domain's words: both SDKs, and the transport below them, fail alike."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import responses
from math import isfinite
from typing import Any

import httpx2

from refiner.domain.errors import (
    AuthError,
    ContextLengthError,
    NotFoundError,
    ProviderError,
    QuotaError,
    RefinerError,
    UsageError,
)

CONNECT = 10.0
"""Seconds for a connection to come about."""

_LONGEST = 300
_MASKED_KEY = re.compile(r"\S*\*{3,}\S*|\b(?:sk|pk|gsk|xai|key)[-_][\w-]{6,}|\bBearer \S+")
_STATUS_OF_TYPE = {
    "overloaded_error": 529,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "invalid_request_error": 400,
}
_NO_CREDIT = re.compile(r"(?i)insufficient_quota|billing_hard_limit|billing_error|credit balance is too low")
_TOO_LONG = re.compile(
    r"(?i)context_length_exceeded|exceed_context_size|prompt is too long|context (?:length|window|size|limit)"
    r"|maximum number of (?:input )?tokens"
)
_LIMIT = re.compile(
    r"(?i)(?:context length (?:is|of)(?: only)?|tokens >|tokens allowed \(?|context window of) *([\d,]+)"
)
_LENGTH = re.compile(r"(?i)(?:too long:|resulted in|you requested|you passed|token count \(?) *([\d,]+)")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Whom a call goes to, for the words of an error: the model as the user and as the provider name it, the host,
    the key, which no error may show, and the variable that it usually comes from."""

    name: str
    model: str
    host: str
    key: str = field(repr=False)
    key_name: str


def parsed_url(url: str) -> httpx2.URL:
    """A base URL, checked before anything is sent there. Raises UsageError."""
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL:
        parsed = httpx2.URL()
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise UsageError("the base URL must look like https://host/v1")
    return parsed


@contextmanager
def translated(endpoint: Endpoint) -> Iterator[None]:
    """Turn what an SDK or its transport raises into ProviderError, NotFoundError or ContextLengthError."""
    try:
        yield
    except RefinerError:
        raise
    except Exception as error:
        known = _translate(endpoint, error)
        if known is None:
            raise
        raise known from None  # the cause's own text may hold a part of the key


def unreadable(endpoint: Endpoint, what: str) -> ProviderError:
    """A reply that came and cannot be used: the provider may have worked on it."""
    return ProviderError(f"{endpoint.name}: {what}; is {endpoint.host} the API?", retryable=True, billed=True)


def cut_short(endpoint: Endpoint) -> ProviderError:
    """A stream that ended before its end."""
    return ProviderError(f"{endpoint.name}: the reply was cut off; try again", retryable=True, billed=True)


def status_error(
    endpoint: Endpoint, status: int, body: object, headers: Mapping[str, str], *, billed: bool = False
) -> RefinerError:
    """The error that a reply of this status stands for; `body` as it was parsed, billed when the reply had begun."""
    error = error_of(body)
    said = one_line(_said(error, body), endpoint.key)
    why = said or responses.get(status, "no reason given")
    codes = f"{error.get('code')} {error.get('type')} {said}"
    name, wait = endpoint.name, retry_after(headers)
    if status == 402 or _NO_CREDIT.search(codes):
        return QuotaError(f"{name}: the credit of the key is used up, add to it or use another model: {why}")
    if status == 401:
        return AuthError(f"{name}: the key was refused (401); check {endpoint.key_name}")
    if status == 403:
        return AuthError(f"{name}: the key may not do this (403); check {endpoint.key_name}: {why}")
    if status == 404:
        return NotFoundError(f"{endpoint.host} has no model {endpoint.model!r} (404); check its name and the base URL")
    if status == 413 or (status in (400, 422) and _TOO_LONG.search(codes)):
        limit, length = _number(error.get("n_ctx"), _LIMIT, said), _number(error.get("n_prompt_tokens"), _LENGTH, said)
        return ContextLengthError(
            f"{name}: the prompt is too long, shorten it or take a model that reads more: {why}",
            limit=limit,
            length=length,
        )
    if status == 429:
        text = f"{name}: too many calls for the key (429), wait or lower --concurrency: {why}"
        return QuotaError(text, retryable=True, retry_after=wait, billed=billed, overloaded=True)
    if status in (408, 409) or status >= 500:
        text = f"{name}: the provider failed ({status}), try again later: {why}"
        return ProviderError(text, retryable=True, retry_after=wait, billed=billed, overloaded=status == 529)
    return ProviderError(f"{name}: the provider refused the call ({status}): {why}", billed=billed)


def error_of(body: object) -> dict[str, Any]:
    """The error object of a reply, whichever way the server wraps it; empty where there is none."""
    if not isinstance(body, dict):
        return {}
    inner = body.get("error", body)
    return inner if isinstance(inner, dict) else {"message": inner}


def one_line(text: str, key: str) -> str:
    """Foreign text as part of an error: one printable line, not long, without the key or what is left of it masked."""
    for end in range(len(key), 5, -1):
        text = text.replace(key[:end], "(key)").replace(key[-end:], "(key)")
    text = "".join(char if char.isprintable() else " " for char in _MASKED_KEY.sub("(key)", text[:5000]))
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the provider asks to wait: retry-after-ms, or Retry-After in seconds or as a date."""
    milliseconds = _seconds(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    seconds = _seconds(value)
    if seconds is not None or value is None:
        return seconds
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _translate(endpoint: Endpoint, error: Exception) -> RefinerError | None:
    cause = error if isinstance(error, httpx2.HTTPError) else error.__cause__
    if isinstance(cause, httpx2.TransportError):
        return _transport_error(endpoint, cause)
    response = getattr(error, "response", None)
    if isinstance(response, httpx2.Response) and response.is_error:
        return status_error(endpoint, response.status_code, getattr(error, "body", None), response.headers)
    body = getattr(error, "body", None)
    if isinstance(body, dict):  # an error inside a stream that began well
        return in_band_error(endpoint, body)
    if isinstance(error, (json.JSONDecodeError, UnicodeDecodeError, httpx2.DecodingError)):
        return unreadable(endpoint, "the reply is not JSON")
    return None


def in_band_error(endpoint: Endpoint, body: dict[str, Any]) -> RefinerError:
    """The error that arrived in place of a reply, under the status of a success."""
    error = error_of(body)
    code = error.get("code")
    status = code if isinstance(code, int) and 400 <= code < 600 else _STATUS_OF_TYPE.get(str(error.get("type")), 500)
    return status_error(endpoint, status, body, {}, billed=True)


def _transport_error(endpoint: Endpoint, error: httpx2.TransportError) -> ProviderError:
    never_sent = isinstance(error, (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError))
    if never_sent:
        why = one_line(str(error), endpoint.key) or "no answer"
        text = f"{endpoint.name}: cannot reach {endpoint.host}, check the network and the base URL: {why}"
    elif isinstance(error, httpx2.TimeoutException):
        text = f"{endpoint.name}: {endpoint.host} was silent for too long; try again or raise the timeout"
    else:
        text = f"{endpoint.name}: the connection to {endpoint.host} broke off; try again"
    return ProviderError(text, retryable=True, billed=not never_sent)


def _said(error: Mapping[str, Any], body: object) -> str:
    said = error.get("message") or error.get("detail") or ("" if isinstance(body, dict) else body)
    text = said if isinstance(said, str) else json.dumps(said) if said else ""
    return "" if text.lstrip().startswith("<") else text


def _number(given: object, pattern: re.Pattern[str], said: str) -> int | None:
    if isinstance(given, int):
        return given
    found = pattern.search(said)
    return int(found[1].replace(",", "") or 0) if found else None


def _seconds(value: str | None) -> float | None:
    try:
        seconds = float(value or "")
    except ValueError:
        return None
    return max(0.0, seconds) if isfinite(seconds) else None
