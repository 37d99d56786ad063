"""Replies that must never replace an answer, and the good ones that look like them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refiner.domain.calls import Finish
from refiner.prompts import Prompts
from refiner.verify.problem import problem

PROMPTS = Prompts()
TASK = """Which city lies on the Seine?
A) The city that is the capital of England
B) The city that is the capital of France"""
DRAFT = PROMPTS["draft_choice"]
UPDATE = PROMPTS["update"].replace("{role}", "answer")
OLD = "The Seine runs through Paris.\nAnswer: B"


def found(new: str, *, old: str | None = OLD, prompt: str = UPDATE, finish: Finish = Finish.STOP) -> str | None:
    return problem(new, old=old, prompt=prompt, finish=finish)


@pytest.mark.parametrize("new", ["", " \n\t", "```\n```", "```python\n\n```"])
def test_nothing_is_empty(new: str) -> None:
    assert found(new) == "empty"


def test_a_reply_cut_by_its_length_is_truncated() -> None:
    assert found("The Seine runs through", finish=Finish.LENGTH) == "truncated"


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        ("```python\nprint(1)", "truncated"),
        ("```\na\n```\nand\n~~~\nb", "truncated"),
        ("```python\nprint(1)\n```", None),
        ("````md\n```\ninner\n```\n````", None),
        ("````md\n```\ninner\n````", None),
        ("Use ``` for code.", None),
    ],
)
def test_an_open_fence_is_truncated(new: str, expected: str | None) -> None:
    assert found(new) == expected


def test_the_same_words_are_unchanged() -> None:
    assert found(f"  {OLD}\n\n".replace(" runs", "\nruns")) == "unchanged"
    assert found(OLD, old=None, prompt=f"{TASK}\n\n{DRAFT}") is None


@pytest.mark.parametrize(
    "new",
    [
        UPDATE,
        UPDATE.upper(),
        UPDATE[: len(UPDATE) // 2],
        f"{OLD}\n{UPDATE}",
        "and",
        "Answer: $LETTER",
        "[your answer]",
        "<task>\nWhich?\n</task>\n<candidate>\nB\n</candidate>\nThen I would say something.",
    ],
)
def test_what_gives_the_prompt_back_is_an_echo(new: str) -> None:
    assert found(new) == "echoed"


@pytest.mark.parametrize("new", [DRAFT, f"{TASK}\n\n{DRAFT}"])
def test_a_draft_that_gives_the_prompt_back_is_an_echo(new: str) -> None:
    assert found(new, old=None, prompt=f"{TASK}\n\n{DRAFT}") == "echoed"


@pytest.mark.parametrize(
    "new",
    [
        "B",
        "Answer: B",
        "The city that is the capital of France",
        "B) The city that is the capital of France",
        "The city that is the capital of France lies on the Seine.\nAnswer: B",
        TASK,
        f"{TASK}\n\n{DRAFT}\n\nThe Seine runs through the capital of France, not through that of England.\nAnswer: B",
    ],
)
def test_an_answer_in_the_words_of_the_question_is_none(new: str) -> None:
    assert found(new, old=None, prompt=f"{TASK}\n\n{DRAFT}") is None
    assert found(new, old=None, prompt=TASK) in (None, "echoed" if new.startswith(TASK) else None)


@pytest.mark.parametrize("kind", ["choice", "number", "text"])
def test_a_draft_that_gives_task_and_instruction_back_is_an_echo(kind: str) -> None:
    instruction = PROMPTS[f"draft_{kind}"]

    def wrong(new: str, task: str) -> str | None:
        return problem(new, old=None, prompt=instruction, finish=Finish.STOP, task=task)

    for task in ("Why?", TASK, TASK * 50):
        assert wrong(f"<task>\n{task}\n</task>\n\n{instruction}", task) == "echoed"
        assert wrong(f"{instruction}\n\nThe Seine runs through the capital of France.\nAnswer: B", task) is None
        assert wrong(task, task) is None


def test_a_long_option_is_no_echo() -> None:
    options = (
        "The truth of the matter is that nobody has ever known",
        "The truth of the matter is that all have always known",
    )
    prompt = f"Which?\nA) {options[0]}\nB) {options[1]}"
    assert [found(option, old=None, prompt=prompt) for option in options] == [None, None]
    assert found(prompt, old=None, prompt=prompt) == "echoed"


def test_an_update_that_keeps_most_of_the_old_text_is_none() -> None:
    assert found(OLD.replace("runs", "flows")) is None
    assert found("Answer: B") is None


@given(st.text(), st.text(), st.text(), st.sampled_from(Finish))
def test_it_names_a_known_problem_or_none(new: str, old: str, prompt: str, finish: Finish) -> None:
    assert found(new, old=old, prompt=prompt, finish=finish) in {None, "empty", "truncated", "echoed", "unchanged"}


@given(st.text(max_size=39).filter(str.strip))
def test_a_short_reply_is_hardly_ever_an_echo(new: str) -> None:
    assert found(new, prompt=DRAFT, old=None) in {None, "empty", "truncated", "echoed"}
    if new.isalpha() and new != "X":
        assert found(new, prompt=DRAFT, old=None) is None
