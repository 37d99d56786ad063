"""Policies for hypothesis: every rule, joined in every way."""

from hypothesis import strategies as st

from refiner.policies import (
    Agree,
    AllTests,
    Calls,
    Clean,
    Cost,
    Iterations,
    Never,
    Patience,
    Policy,
    Similar,
    Target,
    Time,
    Tokens,
)

COUNTS = st.integers(1, 10**15)
POSITIVE = st.floats(1e-9, 1e12) | st.sampled_from([60.0, 90.0, 3600.0, 5400.0, 0.25])
SHARES = st.floats(0, 1, exclude_min=True)


def small(most: int) -> st.SearchStrategy[int]:
    return st.integers(1, most)


BUDGETS: st.SearchStrategy[Policy] = st.one_of(
    st.builds(Iterations, st.integers(0, 10**15) | small(6)),
    st.builds(Calls, COUNTS | small(6)),
    st.builds(Tokens, COUNTS | small(9000)),
    st.builds(Cost, POSITIVE),
    st.builds(Time, POSITIVE),
)
RULES: st.SearchStrategy[Policy] = BUDGETS | st.one_of(
    st.builds(Patience, small(5)),
    st.builds(Target, SHARES),
    st.builds(Agree, st.integers(2, 5)),
    st.builds(Similar, SHARES),
    st.sampled_from([AllTests(), Clean(), Never()]),
)
POLICIES: st.SearchStrategy[Policy] = st.recursive(
    RULES,
    lambda inner: st.tuples(inner, inner, st.booleans()).map(lambda t: t[0] | t[1] if t[2] else t[0] & t[1]),
    max_leaves=8,
)
