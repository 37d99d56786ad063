"""What a question asks for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refiner.domain.task import Kind, Option
from refiner.verify.detect import detect, options


@pytest.mark.parametrize(
    ("question", "labels", "texts"),
    [
        ("Which?\n(A) red\n(B) blue", "AB", ["red", "blue"]),
        ("Which?\nA) red\nB) blue\nC) both", "ABC", ["red", "blue", "both"]),
        ("Which?\nA. red\nB. blue", "AB", ["red", "blue"]),
        ("Which?\n[A] red\n[B] blue", "AB", ["red", "blue"]),
        ("Which?\nA: red\nB: blue", "AB", ["red", "blue"]),
        ("Which?\n- A) red\n- B) blue", "AB", ["red", "blue"]),
        ("Which?\n**A)** red\n**B)** blue", "AB", ["red", "blue"]),
        ("Which is it, (A) red or (B) blue?", "AB", ["red", "blue?"]),
        ("Pick: A) red, B) blue, C) green", "ABC", ["red", "blue", "green"]),
        ("Which?\nA) red\nof a rose\nB) blue\n\nAnswer with a letter.", "AB", ["red of a rose", "blue"]),
        ("Example:\n(A) x\n(B) y\nThe real one:\n(A) red\n(B) blue", "AB", ["red", "blue"]),
    ],
)
def test_labelled_options_make_a_choice(question: str, labels: str, texts: list[str]) -> None:
    kind, found = detect(question)
    assert kind is Kind.CHOICE
    assert [option.label for option in found] == list(labels)
    assert [option.text for option in found] == texts
    assert options(question) == found


@pytest.mark.parametrize("form", ["{})", "({})", "{}.", "[{}]", "{} -", "- {})", "{} –"])
def test_lower_case_and_dashes_are_labels_where_a_choice_is_known(form: str) -> None:
    for labels in ("ab", "AB"):
        red, blue = (form.format(label) for label in labels)
        offered = (Option("A", "red wine"), Option("B", "blue"))
        assert options(f"Which?\n{red} red wine\n{blue} blue") == offered


def test_bullets_below_options_make_a_choice() -> None:
    offered = (Option("valid", "valid"), Option("invalid", "invalid"))
    assert detect("Is the argument sound?\nOptions:\n- valid \n- invalid") == (Kind.CHOICE, offered)


@pytest.mark.parametrize(
    "question",
    [
        "Janet has 3 ducks that lay 2 eggs each. How many eggs are there?",
        "What is 12*3?",
        "What is 2 + 2",
        "((5 * 6 + -6 - 8) * (-5 - 6)) =",
        "Compute the determinant of this matrix.",
        "Solve for x: 2x = 4",
        "What is the probability that a coin shows heads twice?",
        "A car goes 60 km in 2 hours. What is its average speed?",
        r"Find the domain of $\frac{1}{x}$.",
        "How old will he be in 3 years?",
        "What is the length, in units, of the radius of a sphere whose volume and surface are numerically equal?",
        r"Write $\frac{3}{20}$ as a decimal.",
        "If she starts with $50 cash, how much has she left? Give dollars.",
    ],
)
def test_a_quantity_makes_a_number(question: str) -> None:
    assert detect(question) == (Kind.NUMBER, ())


@pytest.mark.parametrize(
    "question",
    [
        "",
        "What is the capital of France?",
        "Write a short poem about the number 7.",
        "Explain how many planets there are, and why.",
        "Is 7 the sum of 3 and 4?",
        "Sort these words: pear, apple",
        "Tell me how much you love cats in 3 lines.",
        "Which is heavier, a $5 or a $6 bag?",
        "How long is a piece of string?",
        "A: Are you well?\nB: I am.\nA: Good.\nB: Who speaks?",
        "A. Smith and B. Jones wrote a paper. Who is first?",
        "Consider the events (A) and (B).",
        "(a) Show this.\n(b) Discuss that.",
        "To do:\n1. shop\n2. cook\nWhat comes first?",
        "A. is the only one",
    ],
)
def test_all_else_is_text(question: str) -> None:
    assert detect(question) == (Kind.TEXT, ())


@pytest.mark.parametrize(
    ("question", "labels"),
    [
        ("Is the argument sound?\nOptions:\n- valid \n- invalid", ["valid", "invalid"]),
        ("Is it so? Answer yes or no.", ["Yes", "No"]),
        ("The earth is flat. (True/False)", ["True", "False"]),
        ("The grass is wet. Did it rain?", ["Yes", "No"]),
        ("Name a colour.", []),
    ],
)
def test_a_choice_without_labels_has_its_options_for_labels(question: str, labels: list[str]) -> None:
    assert options(question) == tuple(Option(label, label) for label in labels)


@pytest.mark.parametrize("unit", ["is ", "$_ ", "1 + ", "\n", "A) x ", "(A) ", "what is the ", "- x\n"])
def test_a_long_text_takes_no_longer_than_its_length(unit: str) -> None:
    detect(unit * 50_000)
    options(unit * 50_000)


@given(st.text())
def test_any_text_has_a_kind(text: str) -> None:
    kind, found = detect(text)
    assert (kind is Kind.CHOICE) == (len(found) >= 2)


@given(st.lists(st.from_regex(r"[a-z]{2,8}( [a-z]{2,8}){0,3}", fullmatch=True), min_size=2, max_size=8))
def test_every_list_of_options_is_found_whole(texts: list[str]) -> None:
    offered = tuple(Option(chr(ord("A") + at), text) for at, text in enumerate(texts))
    question = "Which one?\n" + "\n".join(f"{option.label}) {option.text}" for option in offered)
    assert detect(question) == (Kind.CHOICE, offered)
