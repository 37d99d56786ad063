"""Arms: votes over refined answers, and controls that are prefixes of the same samples."""

from dataclasses import replace

import pytest

from refiner.domain.calls import Usage
from refiner.domain.evals import Answered, ItemRow, Mark, Sitting
from refiner.domain.task import Kind
from refiner.evals.arms import verdicts
from refiner.evals.reading import answers
from refiner.evals.running import control
from tests.evals.evals import results
from tests.strategies.worlds import plan


def mark(place: str, answer: str | None, *, tokens: int = 100, accepted: bool = True, **more: object) -> Mark:
    chain, _, index = place.partition("/")
    fields = {"accepted": accepted, "voter": accepted, "answer": answer, "spent": Usage(1, tokens), **more}
    problem = "unreadable" if answer is None else None
    return Mark(int(chain), int(index), right=answer == "R", **{"problem": problem, **fields})  # type: ignore[arg-type]


def sat(*marks: Mark, selected: tuple[int, int] | None = (0, 0)) -> Sitting:
    return Sitting("r-1", over=True, selected=selected, marks=marks, usage=sum((one.spent for one in marks), Usage()))


def answered(refined: Sitting | None, samples: Sitting | None = None, kind: Kind = Kind.TEXT) -> Answered:
    return Answered(ItemRow("q", kind, "R"), 0, refined, samples)


MARKS = sat(
    mark("0/0", "W"),
    mark("1/0", "W", weight=0.1),
    mark("0/1", "R", weight=3.0),
    mark("1/1", "R", accepted=False),
    mark("0/2", "R", accepted=False),
    mark("1/2", None),
)


@pytest.mark.parametrize(
    ("vote", "right", "voters", "margin"),
    [
        ("own", False, 3, 1 / 3),
        ("accepted", False, 3, 1 / 3),
        ("iterates", True, 5, 1 / 5),
        ("weighted", True, 3, 1.9 / 4.1),
        ("finals", True, 1, 1.0),
    ],
)
def test_votes(vote: str, right: bool, voters: int, margin: float) -> None:
    found = verdicts(answered(MARKS), vote)["refined"]
    assert (found.right, found.voters) == (right, voters)
    assert found.margin == pytest.approx(margin)


def test_ties_go_to_the_earlier_and_what_cannot_be_read_is_wrong() -> None:
    tie = answered(sat(mark("0/0", None), mark("0/1", "R"), mark("1/0", "W")))
    assert verdicts(tie, "accepted")["refined"].answer == "R"
    nothing = verdicts(answered(sat(mark("0/0", None), selected=None)), "accepted")["refined"]
    assert (nothing.right, nothing.answer, nothing.margin) == (False, None, None)


def test_what_is_not_over_has_no_outcome() -> None:
    found = verdicts(answered(Sitting("r-1", failure="down"), Sitting("r-2")))
    assert {arm: (one.right, one.failure) for arm, one in found.items()} == {
        "refined": (None, "down"),
        **dict.fromkeys(("zero-shot", "same-calls", "same-tokens"), (None, "")),
    }


def test_controls_are_prefixes_of_the_same_samples_in_the_order_of_their_chains() -> None:
    samples = sat(
        mark("2/0", "R", tokens=10),
        mark("0/0", "W", tokens=60),
        mark("1/0", "R", tokens=50),
        mark("3/0", "W", tokens=10),
        mark("4/0", "W", tokens=500),
    )
    refined = sat(mark("0/0", "R", tokens=70), mark("0/1", "R", tokens=69))
    found = verdicts(answered(refined, samples))
    # Two calls of the refined answer, and 139 tokens: one sample, two, and four.
    assert {arm: (one.usage.calls, one.usage.tokens, one.answer) for arm, one in found.items() if arm != "refined"} == {
        "zero-shot": (1, 60, "W"),
        "same-calls": (2, 110, "W"),
        "same-tokens": (4, 130, "W"),
    }
    short = verdicts(answered(sat(mark("0/0", "R", tokens=9)), samples))["same-tokens"]
    assert short.usage.calls == 1, "nobody answers without a sample"


def test_a_program_is_the_first_sample_that_passes_what_may_be_seen() -> None:
    samples = sat(mark("0/0", "W", visible=False), mark("1/0", None), mark("2/0", "R", visible=True))
    found = verdicts(answered(sat(*(mark(f"0/{index}", "W") for index in range(3))), samples, Kind.CODE))
    assert [found[arm].right for arm in ("refined", "zero-shot", "same-calls")] == [False, False, True]
    free = Sitting("r-1", over=True, selected=(0, 0), marks=(mark("0/0", "R", spent=Usage()),))
    found = verdicts(answered(free, sat(mark("0/0", "W")), Kind.CODE))
    assert [one.right for one in found.values()] == [True, False, True, True]
    given = sat(mark("0/0", "W", problem="unchanged"), mark("1/0", "R"))
    told = answers(replace(results({}), answered=(answered(given, given, Kind.CODE),)))
    assert [(one.arm, one.outcome) for one in told if one.arm != "refined"] == [
        ("zero-shot", "wrong"),  # given back as it was, and read
        ("same-calls", "right"),
        ("same-tokens", "right"),
    ]


def test_samples_are_asked_for_until_both_costs_are_matched() -> None:
    made = control(plan("What is 1 + 1?", strategy="textgrad", max_calls=7), Usage(4, 900, 0, 100))
    assert (made.strategy, made.least, made.chains, made.iterations) == ("sample", 4, 40, 0)
    assert made.until == "calls:4 & tokens:1000"
    assert made.limits.calls is None
    assert control(plan("What is 1 + 1?"), Usage()).chains == 1


@pytest.mark.parametrize(
    ("texts", "kind", "chosen"),
    [
        (("a", "b", "c"), Kind.TEXT, "c"),  # no two agree: the strategy's own
        (("a", "a", "c"), Kind.TEXT, "a"),
        (("a", "b", "c"), Kind.NUMBER, "a"),
        (("a" * 200, "a" * 200, "c"), Kind.TEXT, "c"),  # what lies behind the first 200 characters is not known
    ],
)
def test_a_vote_over_texts_that_nobody_repeats_is_the_strategys_own(
    texts: tuple[str, ...], kind: Kind, chosen: str
) -> None:
    marks = sat(*(mark(f"{chain}/0", text) for chain, text in enumerate(texts)), selected=(2, 0))
    assert verdicts(answered(marks, kind=kind), "finals")["refined"].answer == chosen


def test_the_curve_of_an_arm_ends_at_what_the_arm_says() -> None:
    samples = sat(*(mark(f"{n}/0", answer, problem=None, visible=False) for n, answer in enumerate("WRWR")))
    for kind in (Kind.CODE, Kind.TEXT):
        told = replace(results({}), answered=(answered(samples, samples, kind),))
        assert all(one.points[-1].right == (one.outcome == "right") for one in answers(told) if one.arm != "refined")
