"""When two answers are the same: laws, and the pairs that graders get wrong."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refiner.domain.task import Kind
from refiner.verify import equal
from refiner.verify.equal import group, normal, same, same_async
from refiner.verify.numbers import canonical, exact
from refiner.verify.worker import Worker

NUMBER = Kind.NUMBER


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> Worker:
    """A worker that takes the place of the shared one and was never asked."""
    worker = Worker()
    monkeypatch.setattr(equal, "WORKER", worker)
    return worker


@pytest.mark.parametrize(
    ("written", "spelling"),
    [
        ("1,000.0", "1000"),
        ("1e3", "1000"),
        ("1.5 \\times 10^{3}", "1500"),
        ("$18", "18"),
        ("-$5.50", "-5.5"),
        ("+7", "7"),
        ("-0", "0"),
        (".5", "0.5"),
        ("007", "7"),
        ("1/2", "0.5"),
        ("2/6", "1/3"),
        ("2 1/2", "2.5"),
        ("\\frac43", "4/3"),
        ("-\\dfrac{3}{4}", "-0.75"),
        ("50\\%", "50%"),
        ("55^\\circ", "55"),
        ("\\$32,\\!348", "32348"),
        ("5.4 \\text{ cents}", "5.4"),
        ("x=5", "5"),
        ("\\text{Evelyn}", "Evelyn"),
        ("x + 1", "x+1"),
        ("\\left( \\frac{3}{2}, -13 \\right)", "(\\frac{3}{2},-13)"),
        ("1/0", "1/0"),
    ],
)
def test_the_spelling_of_a_number(written: str, spelling: str) -> None:
    assert normal(written, NUMBER) == spelling


def test_the_spelling_of_other_kinds() -> None:
    assert normal(" (b). ", Kind.CHOICE) == "B"
    assert normal("invalid", Kind.CHOICE) == "invalid"
    assert normal(' "The  Eiffel\ntower." ', Kind.TEXT) == "the eiffel tower"
    assert normal("] ) >", Kind.TEXT) == "] ) >"
    assert normal("...", Kind.TEXT) == "..."
    assert normal("\nif x:  \n    y\n", Kind.CODE) == "if x:\n    y"


@given(st.fractions(), st.booleans())
def test_every_fraction_keeps_its_value(value: Fraction, percent: bool) -> None:
    written = f"{value.numerator}/{value.denominator}" + "%" * percent
    assert exact(written) == (value, percent)
    assert exact(canonical(written)) == (value, percent)


@given(st.text(st.characters(categories=["Nd", "No", "Sc"]) | st.sampled_from(".,/%- "), max_size=500))
def test_no_figure_of_any_script_raises(text: str) -> None:
    exact(text)
    assert normal(text, NUMBER) == normal(normal(text, NUMBER), NUMBER)


def test_a_number_of_thousands_of_digits_is_compared_by_spelling() -> None:
    assert same("1" * 5000, "1" * 5000, NUMBER)
    assert not same("1" * 5000, "1" * 4999, NUMBER)


@given(st.text(alphabet="0123456789.,+-/%$ex\\{} frac^()=π", max_size=20), st.sampled_from(Kind))
def test_a_spelling_is_its_own_spelling(text: str, kind: Kind) -> None:
    once = normal(text, kind)
    assert normal(once, kind) == once


DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, places=4)


@given(DECIMALS, DECIMALS)
def test_decimals_are_equal_when_their_values_are(a: Decimal, b: Decimal) -> None:
    if Fraction(a) == Fraction(b):
        assert same(str(a), f"{b}00", NUMBER)
    elif abs(Fraction(a) - Fraction(b)) > abs(Fraction(a)) / 1000:
        assert not same(str(a), str(b), NUMBER)


@pytest.mark.parametrize(
    ("a", "b", "equal"),
    [
        ("0.5", "1/2", True),
        ("50%", "0.5", True),
        ("50%", "50", True),
        ("50", "0.5", False),
        ("10 000", "10000", True),
        (r"10\,000", "10000", True),
        ("2.5 million", "2,500,000", True),
        ("3½", "7/2", True),
        ("25 €", "25", True),
        ("12 m²", "12", True),
        ("20 °C", "20", True),
        ("0.333333", "1/3", True),
        ("0.33", "1/3", False),
        (".0000672", ".0000671", False),
        ("1234567", "1234568", False),
        ("east", "seat", False),
        ("East", "\\text{east}", True),
        ("unknown", "5", False),
        ("x" * 2000, "y" * 2000, False),
    ],
)
def test_simple_pairs_need_no_process(a: str, b: str, equal: bool, idle: Worker) -> None:
    assert same(a, b, NUMBER) is equal
    assert same(b, a, NUMBER) is equal
    assert idle.pid is None


@pytest.mark.parametrize(
    ("a", "b", "equal"),
    [
        ("2(k+1)", "2k+2", True),
        ("\\sqrt{8}", "2\\sqrt2", True),
        ("11√2", "11\\sqrt{2}", True),
        ("2π", "\\frac{4\\pi}{2}", True),
        ("1,-2", "-2, 1", True),
        ("(-2,1)", "(1,-2)", False),
        ("(x-1)^2", "x^2-2x+1", True),
        ("x+1", "x+2", False),
        ("y = 2x + 3", "y=3+2x", True),
        ("1 \\pm \\sqrt{19}", "1+\\sqrt{19}, 1-\\sqrt{19}", True),
        ("3\\sqrt{13}", "10.8167", False),
        ("}{", "\\frac", False),
    ],
)
def test_formulas_are_compared_mathematically(a: str, b: str, equal: bool) -> None:
    assert same(a, b, NUMBER) is equal
    assert same(b, a, NUMBER) is equal


def test_text_is_never_compared_mathematically(idle: Worker) -> None:
    assert not same("x+1", "1+x", Kind.TEXT)
    assert idle.pid is None


def test_classes_keep_the_order_of_the_answers() -> None:
    answers = ["7", "2k+2", "\\frac{14}{2}", "2(k+1)", "8", "7.0"]
    assert group(answers, NUMBER) == [[0, 2, 5], [1, 3], [4]]
    assert group(["2k+2", "2(k+1)", "2k+2"], NUMBER) == [[0, 1, 2]]
    assert group([], NUMBER) == []
    assert group(["a", "B", "(A)"], Kind.CHOICE) == [[0, 2], [1]]


@given(st.lists(st.sampled_from(["1", "1.0", "2", "2/1", "3", "0.5", "1/2"])))
def test_classes_part_the_answers(answers: list[str]) -> None:
    classes = group(answers, NUMBER)
    assert sorted(index for members in classes for index in members) == list(range(len(answers)))
    assert [members[0] for members in classes] == sorted(members[0] for members in classes)
    for members in classes:
        assert len({exact(answers[index]) for index in members}) == 1


@pytest.mark.anyio
async def test_the_asynchronous_twin_agrees() -> None:
    assert await same_async("3(k+1)", "3k+3", NUMBER)
    assert await same_async("1", "1.0", NUMBER)
    assert not await same_async("1", "2", NUMBER)
