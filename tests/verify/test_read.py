"""What is read from replies: the last statement, whatever it is dressed in, and never a letter out of a word."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refiner.domain.task import Kind, Option, Task
from refiner.verify.read import read

CITIES = Task(
    "?", Kind.CHOICE, (Option("A", "London"), Option("B", "Paris"), Option("C", "Rome"), Option("D", "New York"))
)
YES_NO = Task("?", Kind.CHOICE, (Option("Yes", "Yes"), Option("No", "No")))
TRUTHS = Task("?", Kind.CHOICE, (Option("valid", "valid"), Option("invalid", "invalid")))
YEARS = Task("?", Kind.CHOICE, (Option("A", "12"), Option("B", "12.5"), Option("C", "None of the above")))
NESTED = Task("?", Kind.CHOICE, (Option("A", "new"), Option("B", "New York")))
NUMBER = Task("?", Kind.NUMBER)
TEXT = Task("?", Kind.TEXT)


@pytest.mark.parametrize(
    ("reply", "label"),
    [
        ("B", "B"),
        ("(b)", "B"),
        ("B.", "B"),
        ("Answer: B", "B"),
        ("Answer: b", "B"),
        ("Answer: (B)", "B"),
        ("**Answer:** (B)", "B"),
        ("**Answer: B**", "B"),
        ("**Answer**: **B**", "B"),
        ("### Final Answer\n\nB", "B"),
        ("Answer:\n\n(B) Paris", "B"),
        ("Final answer: B) Paris.", "B"),
        ("*Answer:* `B`", "B"),
        ("The answer is B.", "B"),
        ("The answer is (B), because the Seine runs through it.", "B"),
        ("The correct answer is B because A is in England.", "B"),
        ("So the correct option is **B**.", "B"),
        ("The answer is option B.", "B"),
        ("The answer is Paris.", "B"),
        ("The answer is: Paris (B)", "B"),
        ("The answer to this question is $B$.", "B"),
        (r"Hence $\boxed{B}$.", "B"),
        (r"\boxed{\text{B}}", "B"),
        (r"\boxed{\text{(B) Paris}}", "B"),
        (r"\boxed{\text{Option B}}", "B"),
        (r"\boxed{\text{Paris}}", "B"),
        (r"Answer: $\mathbf{B}$", "B"),
        ("Answer - B", "B"),
        ("Answer: <b>B</b>", "B"),
        ('{"answer": "B"}', "B"),
        ("So B is the answer.", "B"),
        ("Die richtige Antwort ist B.", "B"),
        ("La respuesta correcta es (B).", "B"),
        ("正确答案\uff1aB", "B"),
        ("<answer>B</answer>", "B"),
        ("First I thought the answer is A. But no.\nAnswer: B", "B"),
        ("Answer: A\nWait, I mixed them up.\nAnswer: B", "B"),
        ("The answer is B. I hope this answer is helpful.", "B"),
        ("Reasoning about rivers.\n\nB", "B"),
        ("Reasoning about rivers.\n\nB. Paris", "B"),
        ("B. Paris\n\nThe Seine runs through it, and Rome lies elsewhere.", "B"),
        ("A) London\nB) Paris\nC) Rome\nD) New York\n\nB) Paris", "B"),
        ("I weighed them all. Option B is correct", "B"),
        ("Looking at rivers, (B) is the correct answer here", "B"),
        ("Answer: B\n\nAnswer:", "B"),
        ("The answer is most likely B, because of the Seine.", "B"),
        ("The answer is A.", "A"),
        ("The answer is D) New York", "D"),
        ("Answer: new york", "D"),
        ("Answer: The Paris", "B"),
        ("Answer: B, since A and C are wrong", "B"),
        ("Answer: B, A being in England", "B"),
    ],
)
def test_a_choice_is_read_whatever_it_is_dressed_in(reply: str, label: str) -> None:
    assert read(reply, CITIES) == label


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "   \n",
        "A good answer takes time.",
        "Answer: A good question.",
        "The answer is a hard one to give.",
        "I cannot decide.",
        "Answer: A or B",
        "The answer is A or B.",
        "The answer is either A or B.",
        "The answer is both (A) and (C).",
        "Answer: A, B",
        "Answer: A and B",
        "Answer: A/B",
        "The answer is London or Paris.",
        "The answer is not B.",
        "Answer: E",
        "Answer: $LETTER",
        "Answer: [letter]",
        "Answer: <your answer>",
        "Answer: B\nAnswer: $LETTER",
        "Answer: ...",
        'The last line must be "Answer: X", where X is exactly one of the options: its letter, if it has one.',
        "A) London\nB) Paris\nC) Rome\nD) New York",
        "Because of Apples, Bananas and Dates.",
        "Answer: A-levels",
        "Answer: Bob's",
    ],
)
def test_what_names_no_option_or_several_is_not_read(reply: str) -> None:
    assert read(reply, CITIES) is None


@pytest.mark.parametrize(
    ("task", "reply", "label"),
    [
        (YES_NO, "So the answer is no.", "No"),
        (YES_NO, "Answer: Yes, he did it on purpose.", "Yes"),
        (YES_NO, "Yes", "Yes"),
        (YES_NO, "No reason was given.", None),
        (TRUTHS, "The answer is invalid.", "invalid"),
        (TRUTHS, "It follows that the argument is invalid.", "invalid"),
        (TRUTHS, "It follows that the argument is valid.", "valid"),
        (TRUTHS, "The argument is not valid.", None),
        (YEARS, "The answer is 12.5.", "B"),
        (NESTED, "The answer is New York City.", "B"),
        (NESTED, "The answer is new.", "A"),
        (YEARS, "The answer is 12.", "A"),
        (YEARS, "The answer is none of the above.", "C"),
    ],
)
def test_labels_may_be_words_and_options_numbers(task: Task, reply: str, label: str | None) -> None:
    assert read(reply, task) == label


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("18", "18"),
        ("#### 18", "18"),
        ("Answer: 18", "18"),
        ("Answer: \\begin{align} x &= 5 \\end{align}", "5"),
        ("So:\n\\begin{align*}\nx &= 2 + 3 \\\\\n  &= 5\n\\end{align*}", "5"),
        ("Answer: $18", "$18"),
        ("**Answer:** 1,234.50 dollars.", "1,234.50"),
        ("The answer is $1,000,000 per year.", "$1,000,000"),
        ("The answer is 18 apples in 3 baskets.", "18"),
        ("Answer: 3 + 4 = 7", "7"),
        ("Answer: x = 7", "7"),
        ("Answer: -5", "-5"),
        ("Answer: −5 degrees", "-5"),
        ("Answer: 1/2", "1/2"),
        ("Answer: 3/4 of the cake", "3/4"),
        ("Answer: 2 1/2 cups", "2 1/2"),
        ("Answer: 50%", "50%"),
        ("Answer: 50 percent", "50%"),
        ("Answer: 1.5e-3", "1.5e-3"),
        ("Answer: .5", ".5"),
        ("The answer is $x = 5$.", "5"),
        ("The answer is $y = 2x + 3$.", "y = 2x + 3"),
        (r"So it is $\boxed{\frac{1}{2}}$.", r"\frac{1}{2}"),
        (r"\[ \boxed{42} \]", "42"),
        (r"\boxed{\dfrac34}", r"\frac{3}{4}"),
        (r"\boxed{\text{Evelyn}}", "Evelyn"),
        (r"\boxed{x^{2}+\{1\}}", r"x^{2}+\{1\}"),
        ("Answer: $$\n\\frac{1}{2}\n$$", r"\frac{1}{2}"),
        ("**Final Answer:**\n\n$$42$$", "42"),
        ("First 3, then 4.\nSo she has 7 apples", "7"),
        ("It comes to\n\\[\nx = 7\n\\]", "7"),
        ("It comes to\n$$\n3 + 4 = 7\n$$\nThat is all.", "7"),
        ("There are\n\\[\n\\frac{1440 \\text{ minutes}}{12} = 120 \\text{ trams}\n\\]\na day.", "120"),
        ("She pays 4 * 5 = 20 dollars for 5 books.", "20"),
        ("In all 2**3 = 8", "8"),
        ("He had $30 - $12 = $18 left", "$18"),
        ("$x$ is $5$", "5"),
        ("The answer is 41. No, wait.\nThe answer is 42.", "42"),
        ("The answer is 42. I hope this answer is helpful.", "42"),
        ("Answer: 5 or 5.0", "5"),
        ("Answer: The total cost of 3 books is $25.", "$25"),
        ("Answer: In 2020 the price was about 30 dollars.", "30"),
        ("Answer: minus 3", "-3"),
        ("Final Answer - 7", "7"),
        ("So the rest is - 7", "- 7"),
        ("He had $30 - $12", "$12"),
        ("Answer: 2.5 million people", "2.5 million"),
        ("Answer: 3½ cups", "3 1/2"),
        ("Answer: ¥2500", "¥2500"),
        ("Answer: ≈ 25", "25"),
        (r"Answer: $x \approx 3.14$", "3.14"),
        ("Answer: 25 ✅", "25"),
        ("Answer: 2**5", "2^5"),
        (r"Answer: $\frac{1}{2}$ (or 0.5)", r"\frac{1}{2}"),
        ("Answer: 0.5 (1/2)", "0.5"),
        ("Answer: $x = 1, y = 2$", "x = 1, y = 2"),
        ('{"answer": 25}', "25"),
        ('{"answer": "25", "why": "3 and 22"}', "25"),
        ("Die Antwort ist 25 Euro. Es sind 3 mehr.", "25"),
        ("Réponse : 25", "25"),
        ("Ответ: 25 рублей", "25"),
        ("因此\uff0c答案是25。", "25"),
        ("正确答案\uff1a25元", "25"),
    ],
)
def test_a_number_is_read_as_it_was_written(reply: str, value: str) -> None:
    assert read(reply, NUMBER) == value


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "I do not know.",
        "Answer: unknown",
        "Answer: 5 or 6",
        "Answer: $5$ or $6$",
        "Answer: [number]",
        "Answer: $VALUE",
        "Answer: X",
        "Answer: <number>",
        "Answer: 5\nAnswer: [number]",
        "Answer: {value}",
    ],
)
def test_no_number_or_several_is_not_read(reply: str) -> None:
    assert read(reply, NUMBER) is None


@pytest.mark.parametrize(
    ("reply", "parsed"),
    [
        ("Answer: Yes", "Yes"),
        ('{"answer": "Paris"}', "Paris"),
        ("Es ist klar.\nAntwort: Paris", "Paris"),
        ("Result", "Result"),
        ("It thinks.\nSo the answer is no.", "no"),
        ("Steps.\n**Answer:** ] ) >", "] ) >"),
        ("Dear all,\nthe answer is in the attachment.\nYours", "Dear all,\nthe answer is in the attachment.\nYours"),
        ("A short poem\nof two lines", "A short poem\nof two lines"),
        ("  ", None),
        ("Answer: [your answer]", None),
    ],
)
def test_text_is_the_short_answer_or_the_whole_reply(reply: str, parsed: str | None) -> None:
    assert read(reply, TEXT) == parsed


def test_an_essay_after_the_marker_is_kept_whole() -> None:
    essay = "Answer: " + "word " * 100
    assert read(essay, TEXT) == essay.strip()


def test_an_option_may_be_labelled_like_a_place_left_open() -> None:
    many = Task("?", Kind.CHOICE, tuple(Option(chr(65 + at), f"number {at}") for at in range(26)))
    assert read("Answer: X", many) == "X"
    assert read("Answer: X", CITIES) is None


def test_options_of_signs_alone_are_told_by_their_labels() -> None:
    signs = Task("?", Kind.CHOICE, (Option("A", "]"), Option("B", ")")))
    assert read("Answer: B) )", signs) == "B"
    assert read("Answer:", signs) is None


def test_several_lines_below_the_marker_are_kept_whole() -> None:
    poem = "Answer:\nRoses are red\nViolets are blue"
    assert read(poem, TEXT) == poem


@given(st.text(), st.sampled_from([CITIES, YES_NO, NUMBER, TEXT]))
def test_nothing_makes_the_reader_raise(reply: str, task: Task) -> None:
    parsed = read(reply, task)
    assert parsed is None or parsed.strip() or reply.strip()


@given(st.text(alphabet="ABCabc ()[]*.:$\\{}\nanswerisor", max_size=60))
def test_a_choice_is_a_label_or_nothing(reply: str) -> None:
    assert read(reply, CITIES) in {None, "A", "B", "C", "D"}


@given(st.integers(-(10**9), 10**9))
def test_every_whole_number_survives(number: int) -> None:
    for reply in (f"Answer: {number}", f"Answer: {number:,}", f"#### {number}", f"Thus $\\boxed{{{number}}}$."):
        found = read(reply, NUMBER)
        assert found is not None
        assert found.replace(",", "") == str(number)
