"""Evals as the service tells them, and as the database does without it."""

from dataclasses import replace
from typing import Any

import pytest

from refiner.cli.looking import Database
from refiner.client.client import Client
from refiner.config.sources import load
from refiner.domain.eval_state import EvalState
from refiner.domain.evals import Answered, Results
from refiner.evals import glance
from refiner.evals.glance import pair_of, state_of
from refiner.tui.service import Service
from tests.evals.evals import results
from tests.service.live import Live

FIRST = {"a": ("BA", "B"), "b": ("AB", "A"), "c": ("A", "A"), "d": ("", "")}
SECOND = {"a": ("B", "B"), "b": ("A", "A"), "x": ("A", "A")}


class OverTcp(Client):
    def __init__(self, live: Live) -> None:
        self.http = live.http

    def get(self, place: str) -> Any:
        return self.http.get(place).raise_for_status().json()


@pytest.mark.anyio
async def test_the_service_and_the_database_tell_what_was_found(live: Live) -> None:
    found = [results(FIRST), results(SECOND)]
    names = [live.eval(each) for each in found]
    for source in (Service(OverTcp(live)), Database(load().paths)):
        newest, oldest = [line for line in await source.evals() if line.id in names]
        assert (newest.id, oldest.id) == (names[1], names[0])
        assert (await source.eval_state(names[0])).draws == glance.ROUGH
        state = await source.eval_state(names[0])
        wanted = state_of(found[0])
        assert state.line.arms == wanted.line.arms == oldest.arms
        assert (state.gains, state.correction) == (wanted.gains, wanted.correction)
        assert [replace(item, run=None, samples=None) for item in state.items] == [
            replace(item, run=None, samples=None) for item in wanted.items
        ]
        assert [item.change for item in state.items] == ["repaired", "broken", "", ""]
        assert [await source.find(item.run or "") for item in state.items] == [item.run for item in state.items]
        assert (await source.eval_pair(*names)).draws == glance.ROUGH
        pair = await source.eval_pair(*names)
        wanted_pair = pair_of(found[0], found[1])
        assert (pair.gains, [(each.name, each.change) for each in pair.pairs]) == (
            wanted_pair.gains,
            [("a", "worse"), ("b", "better")],
        )
        assert sorted(pair.unpaired.values()) == [1, 2]
    for place, status in (("e-none", 404), (f"{names[0]}/compare?other={live.eval(results({'y': ('A', 'A')}))}", 400)):
        assert live.http.get(f"/v1/evals/{place}").status_code == status


def test_an_eval_is_counted_anew_when_it_changed_and_a_live_one_no_sooner_than_it_has_rested(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[str] = []
    clock = [0.0]

    def counting(found: Results, most: int) -> EvalState:
        counted.append(f"{found.eval.status} {most}")
        clock[0] += 1
        return state_of(found, most)

    monkeypatch.setattr(glance, "state_of", counting)
    monkeypatch.setattr(glance, "monotonic", lambda: clock[0])
    found = results(FIRST)
    last = found.answered[3]
    name = live.eval(replace(found, answered=(*found.answered[:3], Answered(last.item))), ended=False)

    def over() -> int:
        return int(live.http.get(f"/v1/evals/{name}").json()["line"]["over"])

    live_one = "running 1000"
    assert (over(), over(), counted) == (6, 6, [live_one])
    live.answer(name, 3, last)
    assert (over(), counted) == (8, [live_one])  # the line is of now, what takes long to count rests
    clock[0] += glance.REST + 1
    assert (over(), over(), counted) == (8, 8, [live_one] * 2)
    live.do(live.api.store.evals.end(name, "done", "", 9.0))
    assert (over(), over(), over(), counted[2:]) == (8, 8, 8, ["done 1000", "done 10000"])
