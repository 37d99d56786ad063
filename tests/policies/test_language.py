"""The words of `--until`, and what is said of wrong ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refiner.domain.errors import UsageError
from refiner.domain.run import Limits
from refiner.policies import (
    PRESETS,
    RULES,
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
    describe,
    limits,
    parse,
)


@pytest.mark.parametrize(
    ("expression", "policy"),
    [
        ("tests", AllTests()),
        ("clean", Clean()),
        ("never", Never()),
        ("cost:0.25", Cost(0.25)),
        ("cost:$.5", Cost(0.5)),
        ("time:10m", Time(600)),
        ("time:90s", Time(90)),
        ("time:90", Time(90)),
        ("time:1.5h", Time(5400)),
        ("patience:2", Patience(2)),
        ("agree:2", Agree(2)),
        ("similar:0.95", Similar(0.95)),
        ("calls:10", Calls(10)),
        ("tokens:5k", Tokens(5000)),
        ("tokens:1.5M", Tokens(1_500_000)),
        ("iterations:0", Iterations(0)),
        ("target:1", Target(1.0)),
        (" tests|clean ", AllTests() | Clean()),
        ("tests or clean and calls : 3", AllTests() | (Clean() & Calls(3))),
        ("tests | (patience:2 & cost:0.25)", AllTests() | (Patience(2) & Cost(0.25))),
        ("(tests | clean) & calls:3", (AllTests() | Clean()) & Calls(3)),
        ("tests | clean | calls:3", (AllTests() | Clean()) | Calls(3)),
        ("tests | (clean | calls:3)", AllTests() | (Clean() | Calls(3))),
        ("((tests))", AllTests()),
    ],
)
def test_expressions(expression: str, policy: Policy) -> None:
    assert parse(expression) == policy
    assert parse(str(policy)) == policy


@pytest.mark.parametrize(
    ("expression", "canonical"),
    [
        ("time:600", "time:10m"),
        ("time:7200s", "time:2h"),
        ("tokens:5000", "tokens:5k"),
        ("cost:1.0", "cost:1"),
        ("tests or (clean and calls:3)", "tests | clean & calls:3"),
        ("tests and (clean and calls:3)", "tests & (clean & calls:3)"),
    ],
)
def test_the_canonical_expression(expression: str, canonical: str) -> None:
    assert str(parse(expression)) == canonical


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("patence:2", 'stop rule "^patence:2" at 1: there is no rule "patence": did you mean "patience"?'),
        ("tests | cots:1", 'stop rule "tests | ^cots:1" at 9: there is no rule "cots": did you mean "cost"?'),
        ("quikc", 'stop rule "^quikc" at 1: there is no rule "quikc": did you mean "quick"?'),
        ("cost", 'stop rule "^cost" at 1: cost needs a figure, as in "cost:0.25"'),
        ("cost:", 'stop rule "^cost:" at 1: cost needs a figure, as in "cost:0.25"'),
        ("tests:1", 'stop rule "^tests:1" at 1: tests takes no figure'),
        ("quick:1", 'stop rule "^quick:1" at 1: quick takes no figure'),
        ("time:10x", 'stop rule "^time:10x" at 1: time: "10x" is not a time, such as 90s, 10m or 1h'),
        ("calls:1.5", 'stop rule "^calls:1.5" at 1: calls: "1.5" is not a whole number'),
        ("calls:-1", 'stop rule "^calls:-1" at 1: calls: "-1" is not a whole number, such as 12 or 5k'),
        ("calls:0", 'stop rule "^calls:0" at 1: calls: 0 is less than 1'),
        ("calls:1e99", 'stop rule "^calls:1e99" at 1: calls: "1e99" is too large'),
        ("agree:1", 'stop rule "^agree:1" at 1: agree: 1 is less than 2'),
        ("cost:0", 'stop rule "^cost:0" at 1: cost: it has to be above 0'),
        ("target:1.5", 'stop rule "^target:1.5" at 1: target: 1.5 is not above 0 and at most 1'),
        ("", 'stop rule "^" at 1: a rule is missing here'),
        ("tests |", 'stop rule "tests |^" at 8: a rule is missing here'),
        ("| tests", 'stop rule "^| tests" at 1: a rule is missing here'),
        ("tests or and clean", 'stop rule "tests or ^and clean" at 10: a rule is missing here'),
        ("(tests", 'stop rule "(tests^" at 7: put ")" here'),
        ("tests)", 'stop rule "tests^)" at 6: this ")" closes nothing'),
        ("tests\nclean", 'stop rule "tests ^clean" at 7: put "|" or "&" before this'),
        ("tests ; clean", 'stop rule "tests ^; clean" at 7: put "|" or "&" before this'),
        ("(" * 5000, "a stop rule of 5000 words is too long: 60 are allowed"),
    ],
)
def test_a_wrong_expression_is_told_where_and_what_instead(expression: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(expression)
    assert str(caught.value) == message


def test_without_a_near_name_all_are_listed() -> None:
    with pytest.raises(UsageError, match=r"only iterations, calls,.* careful, thrifty"):
        parse("zzzz")


@given(st.text() | st.text(alphabet="tests clean|&():0123456789kms", max_size=30))
def test_any_text_is_a_policy_or_a_usage_error(text: str) -> None:
    try:
        policy = parse(text)
    except UsageError as error:
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert parse(str(policy)) == policy


def test_presets_may_refer_to_presets() -> None:
    presets = {"mine": "base & calls:3", "base": "tests | clean"}
    assert parse("mine | never", presets) == ((AllTests() | Clean()) & Calls(3)) | Never()


@pytest.mark.parametrize(
    ("presets", "message"),
    [
        ({"p": "p"}, "preset p refers to itself: p → p"),
        ({"p": "q | tests", "q": "clean & p"}, "preset p refers to itself: p → q → p"),
        ({"p": "tets"}, 'preset p "^tets" at 1: there is no rule "tets": did you mean "tests"?'),
        ({"cost": "tests"}, 'a preset cannot be called "cost": that word is taken'),
        ({"or": "tests"}, 'a preset cannot be called "or": that word is taken'),
        ({"p": "p1"} | {f"p{n}": f"p{n + 1}" for n in range(1, 2000)}, "preset p leads through more than 8 others"),
    ],
)
def test_wrong_presets_are_named(presets: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse("p", presets)
    assert str(caught.value) == message


@pytest.mark.parametrize("name", PRESETS)
def test_the_presets_that_come_with_it(name: str) -> None:
    policy = parse(name)
    assert str(parse(str(policy))) == str(policy)
    assert describe(policy)


def test_every_rule_has_a_word() -> None:
    examples = "iterations:1|calls:1|tokens:1|cost:1|time:1|patience:1|target:1|agree:2|similar:1|tests|clean|never"
    assert [part.partition(":")[0] for part in examples.split("|")] == list(RULES)
    assert len(describe(parse(examples))) == len(RULES)


@pytest.mark.parametrize(
    ("expression", "most"),
    [
        ("calls:10 | tokens:5k | cost:0.25 | time:1m", Limits(10, 5000, 0.25, 60)),
        ("calls:10 | calls:3", Limits(calls=3)),
        ("calls:10 & calls:3", Limits(calls=10)),
        ("calls:10 & patience:2", Limits()),
        ("calls:10 & cost:1", Limits()),
        ("(calls:10 & cost:1) | calls:20", Limits(calls=20)),
        ("tests | iterations:3", Limits()),
    ],
)
def test_limits(expression: str, most: Limits) -> None:
    assert limits(parse(expression)) == most


def test_the_sentences() -> None:
    assert describe(parse("tests | (patience:2 & cost:0.25) | time:90s")) == (
        "tests stops when all tests pass.",
        "patience:2 stops when 2 updates in a row have brought nothing.",
        "cost:0.25 stops when the run has cost $0.25.",
        "time:90s stops when the run has been at work for 90s.",
    )


@pytest.mark.parametrize(("most", "words"), [(1, "1 update has"), (2, "2 updates in a row have")])
def test_updates_are_counted_in_words(most: int, words: str) -> None:
    assert describe(Patience(most)) == (f"patience:{most} stops when {words} brought nothing.",)
