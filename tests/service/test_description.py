"""The service is as its own description says, whatever it is asked."""

from dataclasses import fields
from typing import Any, cast

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case, CheckFunction
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import positive_data_acceptance

from refiner.service.api import Api
from tests.evals.evals import results
from tests.service.live import Live

_api = Api(*(cast("Any", None) for _ in fields(Api)))
_JUDGED = ("POST /v1/runs", "POST /v1/plans", "POST /v1/runs/{run}/fork")
_schema = schemathesis.openapi.from_dict(_api.description)


@pytest.fixture(scope="module", autouse=True)
def latest_eval(service: Live) -> None:
    """An eval that has ended, which "@" stands for where an eval is asked for."""
    service.eval(results({"a": ("BA", "B"), "b": ("", "A")}))


@pytest.fixture(autouse=True)
def latest(service: Live) -> None:
    """A live run, which "@" stands for."""
    service.run("one", "two")


@_schema.exclude(path="/v1/events").parametrize()
@settings(max_examples=10, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_as_described(case: Case[Any], live: Live) -> None:
    # Tests may be no tests, a stop rule no rule: two texts cannot both be changed: a schema cannot say all.
    excluded: list[CheckFunction] = [positive_data_acceptance] if case.operation.label in _JUDGED else []
    if case.path == "/readyz":  # 503 is its way to say what is missing
        excluded.append(not_a_server_error)
    case.call_and_validate(base_url=live.url, excluded_checks=excluded)


def test_the_description_is_served_and_names_every_route(live: Live) -> None:
    served = live.http.get("/openapi.json").json()
    assert served == _api.description
    words = ("pause", "resume", "stop", "cancel", "hold", "critique", "fork", "budget", "events")
    runs = {"/v1/runs", "/v1/runs/{run}", *(f"/v1/runs/{{run}}/{word}" for word in words)}
    assert runs | {"/v1/evals", "/v1/evals/{name}", "/v1/evals/{name}/compare"} <= set(served["paths"])
    assert {"/v1/events", "/v1/shutdown", "/healthz", "/readyz", "/version"} <= set(served["paths"])
