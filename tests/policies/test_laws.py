"""What holds for every policy and every state."""

from dataclasses import astuple

from hypothesis import given
from hypothesis import strategies as st

from refiner.domain.calls import Usage
from refiner.domain.run import Limits
from refiner.domain.state import RunState
from refiner.policies import Calls, Cost, Iterations, Never, Policy, Time, Tokens, describe, limits, parse
from tests.policies.expressions import BUDGETS, POLICIES
from tests.policies.states import MOVES, STATES, USAGES, Move, run


def stops(policy: Policy, state: RunState) -> bool:
    return policy(state, 0) is not None


@given(POLICIES, POLICIES, STATES)
def test_either_side_of_a_join_may_come_first(a: Policy, b: Policy, state: RunState) -> None:
    assert stops(a | b, state) == stops(b | a, state) == (stops(a, state) or stops(b, state))
    assert stops(a & b, state) == stops(b & a, state) == (stops(a, state) and stops(b, state))


@given(POLICIES, POLICIES, POLICIES, STATES)
def test_joins_group_and_distribute_like_or_and_and(a: Policy, b: Policy, c: Policy, state: RunState) -> None:
    assert stops(a | (b | c), state) == stops((a | b) | c, state)
    assert stops(a & (b & c), state) == stops((a & b) & c, state)
    assert stops(a & (b | c), state) == stops((a & b) | (a & c), state)
    assert stops(a | (b & c), state) == stops((a | b) & (a | c), state)


@given(POLICIES, STATES)
def test_a_policy_joined_with_itself_or_never_is_itself(policy: Policy, state: RunState) -> None:
    assert (policy | policy)(state, 0) == policy(state, 0)
    assert stops(policy & policy, state) == stops(policy, state)
    assert (policy | Never())(state, 0) == (Never() | policy)(state, 0) == policy(state, 0)
    assert not stops(policy & Never(), state)


@given(POLICIES, POLICIES, STATES)
def test_the_first_of_either_and_the_last_of_both_give_the_reason(a: Policy, b: Policy, state: RunState) -> None:
    first, second, both = a(state, 0), b(state, 0), (a & b)(state, 0)
    assert (a | b)(state, 0) == (first or second)
    if first and second:
        assert both is not None
        assert both.reason is second.reason
        assert both.detail == f"{first.detail}, and {second.detail}"


@given(POLICIES)
def test_an_expression_reads_back_to_its_policy(policy: Policy) -> None:
    assert parse(str(policy), {}) == policy


@given(POLICIES, STATES)
def test_a_policy_is_pure(policy: Policy, state: RunState) -> None:
    before = hash(policy)
    assert policy(state, 0) == policy(state, 0)
    assert hash(policy) == before


@given(POLICIES)
def test_there_is_a_sentence_for_each_rule(policy: Policy) -> None:
    assert len(describe(policy)) == str(policy).count("|") + str(policy).count("&") + 1
    assert all(sentence.endswith(".") and " stops when " in sentence for sentence in describe(policy))


@given(BUDGETS, st.lists(MOVES, max_size=4), st.lists(USAGES, min_size=1, max_size=4), USAGES, MOVES, st.floats(0, 500))
def test_a_budget_that_is_spent_stays_spent(
    budget: Policy, moves: list[Move], usage: list[Usage], more: Usage, move: Move, seconds: float
) -> None:
    before = run(moves, usage=usage, seconds=seconds)
    after = run([*moves, move], usage=[*usage, more], seconds=seconds + 1)
    if after.usage.cost_usd is None and isinstance(budget, Cost):
        assert not stops(budget, after)
    elif stops(budget, before):
        assert stops(budget, after)


@given(st.sampled_from([Iterations, Calls, Tokens, Cost, Time]), st.integers(1, 5000), st.integers(1, 5000), STATES)
def test_a_larger_budget_never_stops_earlier(
    rule: type[Iterations | Calls | Tokens | Cost | Time], a: int, b: int, state: RunState
) -> None:
    if stops(rule(max(a, b)), state):
        assert stops(rule(min(a, b)), state)


@given(POLICIES, POLICIES)
def test_the_limits_of_joins(a: Policy, b: Policy) -> None:
    either, both = limits(a | b), limits(a & b)
    for left, right, least, most in zip(*map(astuple, (limits(a), limits(b), either, both)), strict=True):
        known = [bound for bound in (left, right) if bound is not None]
        assert least == min(known, default=None)
        assert most == (max(known) if len(known) == 2 else None)


@given(POLICIES, STATES)
def test_what_reaches_a_limit_stops_the_run(policy: Policy, state: RunState) -> None:
    """The ledger may reserve against the limits: a run that used them up is one that the policy stops."""
    most: Limits = limits(policy)
    spent = (
        (most.calls, state.usage.calls),
        (most.tokens, state.usage.tokens),
        (most.cost_usd, state.usage.cost_usd),
        (most.seconds, state.seconds),
    )
    if any(limit is not None and used is not None and used >= limit for limit, used in spent):
        assert stops(policy, state)
