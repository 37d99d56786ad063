"""Values across the channel: what goes in comes out, and what is no value is refused."""

import datetime
import json
import math
from collections import Counter, OrderedDict, defaultdict, deque
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refiner.sandbox.inside.values import CannotCrossError, Exchange, ForgedError, decode, encode


def refuse(value: Any) -> list[Any]:
    raise CannotCrossError(type(value).__name__)


def forge(*_: Any) -> Any:
    raise ForgedError


def crossed(value: Any) -> Any:
    form = encode(value, Exchange(), refuse)
    return decode(json.loads(json.dumps(form)), Exchange(), forge)


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=10**30, max_value=10**60),
    st.floats(allow_nan=False),
    st.complex_numbers(allow_nan=False),
    st.text(st.characters(exclude_categories=())),
    st.binary(max_size=20),
    st.decimals(allow_nan=False),
    st.fractions(),
    st.datetimes(timezones=st.sampled_from([None, datetime.UTC, datetime.timezone(datetime.timedelta(hours=-3))])),
    st.dates(),
    st.times(),
    st.timedeltas(),
    st.uuids(),
    st.builds(range, st.integers(), st.integers(), st.integers(min_value=1)),
    st.builds(slice, st.none() | st.integers(-9, 9), st.integers(-9, 9), st.none()),
    st.sampled_from([..., NotImplemented, PurePosixPath("a/b")]),
)
keys = st.one_of(st.none(), st.booleans(), st.integers(), st.text(), st.binary(max_size=9), st.fractions(), st.dates())
keys = keys | st.tuples(keys, keys) | st.frozensets(keys, max_size=3)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.lists(inner, max_size=4).map(lambda items: deque(items, maxlen=5)),
        st.sets(keys, max_size=4),
        st.frozensets(keys, max_size=4),
        st.dictionaries(keys, inner, max_size=4),
        st.dictionaries(keys, inner, max_size=4).map(OrderedDict),
        st.lists(keys, max_size=4).map(Counter),
        st.binary(max_size=9).map(bytearray),
    ),
    max_leaves=12,
)


@given(values)
def test_values_come_out_as_they_went_in(value: Any) -> None:
    found = crossed(value)
    assert type(found) is type(value)
    assert found == value


def test_the_values_that_are_easily_lost() -> None:
    assert math.copysign(1, crossed(-0.0)) == -1
    assert math.isnan(crossed(math.nan))
    assert crossed(Decimal("sNaN")).is_snan()
    assert repr(crossed(complex(math.nan, -0.0))) == "(nan-0j)"
    assert crossed([math.inf, -math.inf]) == [math.inf, -math.inf]
    assert [ord(half) for half in crossed("\ud83d\ude00")] == [0xD83D, 0xDE00]
    assert crossed("\udcff\0") == "\udcff\0"
    assert crossed(7**9000) == 7**9000
    assert crossed(Decimal("1.10")).as_tuple() == Decimal("1.10").as_tuple()
    assert crossed(Fraction(1, 3)) == Fraction(1, 3)
    assert type(crossed(True)) is bool
    assert crossed({(1, "a"): {1: {2}}, frozenset({3}): None}) == {(1, "a"): {1: {2}}, frozenset({3}): None}
    assert crossed(deque([1, 2], maxlen=2)).maxlen == 2
    assert list(crossed({"b": 1, "a": 2})) == ["b", "a"]


def test_what_is_one_object_stays_one() -> None:
    inner: list[Any] = [1]
    first, second, third = crossed([inner, inner, (inner,)])
    assert first is second is third[0]
    loop: list[Any] = []
    loop.append(loop)
    found = crossed(loop)
    assert found[0] is found


def test_what_is_no_plain_value_is_left_to_the_caller() -> None:
    class Sub(int): ...

    for value in (object(), Sub(3), len, [object()], defaultdict(list)):
        with pytest.raises(CannotCrossError):
            encode(value, Exchange(), refuse)


def test_depth_has_an_end() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(CannotCrossError, match="nested"):
        encode(deep, Exchange(), refuse)
    form: list[Any] = ["l"]
    for _ in range(500):
        form = ["l", form]
    with pytest.raises(ForgedError):
        decode(form, Exchange(), forge)


def test_changes_go_back_into_the_same_objects() -> None:
    inner: list[Any] = [1]
    table: dict[str, Any] = {"a": 1}
    seen, raw = {1}, bytearray(b"x")
    ours = Exchange()
    form = json.loads(json.dumps(encode([inner, table, seen, raw], ours, refuse)))
    theirs = Exchange()
    value = decode(form, theirs, forge)
    theirs.remember()
    assert theirs.changes(refuse) == []
    value[0].append(value[0])
    value[1]["new"] = [2]
    value[2].clear()
    value[3] += b"y"
    changes = json.loads(json.dumps(theirs.changes(refuse)))
    ours.apply(changes, len(ours.nodes), forge)
    assert inner[0] == 1
    assert inner[1] is inner
    assert table == {"a": 1, "new": [2]}
    assert seen == set()
    assert raw == b"xy"


forms = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.text(), inner, max_size=2)
        | st.tuples(
            st.sampled_from(
                [
                    "l",
                    "d",
                    "s",
                    "ba",
                    "dq",
                    "od",
                    "ct",
                    "dd",
                    "t",
                    "fs",
                    "r",
                    "i",
                    "u",
                    "b",
                    "c",
                    "rg",
                    "sl",
                    "D",
                    "F",
                    "dt",
                    "ti",
                    "da",
                    "td",
                    "tz",
                    "U",
                    "pp",
                    "p",
                    "E",
                    "N",
                    "h",
                    "y",
                    "g",
                ]
            ),
            st.lists(inner, max_size=4),
        ).map(lambda pair: [pair[0], *pair[1]])
    ),
    max_leaves=20,
)


@given(forms)
def test_whatever_is_no_form_is_refused(form: Any) -> None:
    try:
        value = decode(form, Exchange(), forge)
    except ForgedError:
        return
    # What was read is a value, for it has a form again.
    encode(value, Exchange(), refuse)


@given(forms)
def test_whatever_is_no_change_is_refused(form: Any) -> None:
    exchange = Exchange()
    encode([[1], {"a": 1}], exchange, refuse)
    try:
        exchange.apply(form, len(exchange.nodes), forge)
    except ForgedError:
        return
    assert all(type(node) in (list, dict) for node in exchange.nodes[:3])
