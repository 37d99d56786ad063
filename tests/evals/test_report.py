"""What is said of an eval: the same to the byte, harmless whatever a model wrote, and complete."""

import csv
import json
import re
import sys
from dataclasses import replace
from functools import partial
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

import anyio
import pytest

from refiner.domain.errors import UsageError
from refiner.domain.evals import Answered
from refiner.domain.state import RunState
from refiner.domain.task import Kind
from refiner.evals.comparing import compared
from refiner.evals.report.facts import report
from refiner.evals.report.html import html
from refiner.evals.report.text import comma_separated, markdown
from refiner.evals.report.words import dollars
from tests.evals.evals import results, sitting
from tests.scripted.server import Scripted
from tests.strategies.worlds import by_role, plan, solved

ROWS = {"q1": ("BA", "BAA"), "q2": ("AB", "AAB"), "q3": ("B-", "BBA"), "q4": ("", "AAA"), "q5": ("CAA", "CAA")}
GOLDEN = Path(__file__).parent / "report.md"
BLOCKS = ("details", "article", "pre", "nav")
HOSTILE = "</pre></details><script>alert(1)</script>\x1b[31m‮evil‬{{ 7 * 7 }} <img src=x onerror=alert(2)> & $x$"


class Tags(HTMLParser):
    """The elements of a page, those left open, and where it would go on the network."""

    def __init__(self) -> None:
        super().__init__()
        self.seen, self.open, self.links = set[str](), list[str](), list[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "action")]
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag in BLOCKS:
            self.open.append(tag)
        assert tag not in ("input", "article") or not set(self.open) - {"article"}, "filters work on siblings alone"

    def handle_endtag(self, tag: str) -> None:
        if tag in BLOCKS:
            assert self.open.pop() == tag


@pytest.fixture
def hostile(scripted: Scripted, tmp_path: Path) -> RunState:
    scripted.script = by_role(
        draft=f"{HOSTILE}\nAnswer: B",
        critique=f"It is wrong. {HOSTILE} Verdict: flawed",
        gradient=f"Mend it. {HOSTILE}",
        update=f"<improved>{HOSTILE} better\nAnswer: A</improved>",
    )
    made = plan(f"Which? {HOSTILE}\nA) yes\nB) no", strategy="textgrad", max_iterations=1)
    return anyio.run(partial(solved, scripted, tmp_path, made))


def test_a_page_holds_every_step_and_nothing_that_acts(hostile: RunState) -> None:
    told = report(results({**ROWS, f"q<{HOSTILE}>": ("B", "A")}))
    page = html(told, {"r-q1": hostile})
    tags = Tags()
    tags.feed(page)
    assert not tags.open
    assert not tags.seen & {"script", "img", "iframe", "object", "link"}
    assert all(link.startswith("#") for link in tags.links)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", page)
    shown = "evil{{ 7 * 7 }} &lt;img src=x onerror=alert(2)&gt; &amp; $x$"
    for heading in ("Question", "Text", "Critique", "Gradient"):
        assert re.search(rf"<h5>{heading}</h5><pre>[^<]*{re.escape(shown)}", page), heading
    assert re.search(rf'<span class="add">\+[^<]*{re.escape(shown)} better</span>', page)
    assert page.count("<svg") == len(re.findall("</svg>", page)) >= 4
    assert "the provider is down" in page


def test_a_page_of_400_items_is_of_a_size_that_can_be_sent() -> None:
    rows = {f"q{at}": [("BA", "BAA"), ("AB", "AAB"), ("CAA", "CAA")][at % 3] for at in range(400)}
    assert len(html(report(results(rows)), {})) < 1_000_000


@pytest.mark.parametrize("missing", ["jinja2", "matplotlib"])
def test_a_page_without_the_extra_is_one_line(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(UsageError, match=rf"needs? {missing}: install it with pip install 'refiner\[eval\]'"):
        html(report(results({"q1": ("A", "A")})), {})


def test_markdown_is_as_it_was() -> None:
    told = markdown(report(results(ROWS, status="budget", over=9, why="the budget is used up")))
    assert told == GOLDEN.read_text()


def test_what_an_arm_without_an_answer_took_is_not_known() -> None:
    told = report(results({"q1": ("", "A")}))
    assert "| refined | – | – | 1 | 0 | – | – | – | – | – |" in markdown(told)
    assert "0.00" not in html(told, {}).split("<td>refined")[1].split("<tr>")[0]


def test_curves_do_not_depend_on_which_chain_was_answered_first() -> None:
    told = results({"q1": ("A", "A")})
    [one] = told.answered
    marks = sitting("BAA", chains=True).marks
    first, second = (
        report(replace(told, answered=(replace(one, refined=replace(sitting("BAA", chains=True), marks=order)),)))
        for order in (marks, marks[::-1])
    )
    assert [point.right for point in first.answers[0].points] == [False, False, True]
    assert first.to_json() == second.to_json()


def test_prices_keep_two_digits_that_say_something() -> None:
    assert [dollars(each) for each in (None, 0.0, 4.545e-05, 0.00123, 0.5, 2.0)] == [
        "–", "$0", "$0.000045", "$0.0012", "$0.5000", "$2.00",
    ]  # fmt: skip


def test_json_and_csv_hold_the_answers() -> None:
    told = report(results(ROWS))
    one, other = (json.dumps(each.to_json()) for each in (told, report(results(ROWS))))
    assert one == other
    figures = json.loads(one)["figures"]
    assert [(arm["name"], arm["failed"], arm["accuracy"]["items"]) for arm in figures["arms"]] == [
        ("refined", 1, 4), ("zero-shot", 0, 5), ("same-calls", 0, 5), ("same-tokens", 0, 5),
    ]  # fmt: skip
    rows = list(csv.DictReader(StringIO(comma_separated(told))))
    assert len(rows) == 20
    assert [row["outcome"] for row in rows if row["arm"] == "refined"] == [
        "right", "wrong", "wrong", "failed", "right",
    ]  # fmt: skip
    formula = comma_separated(report(results({"=HYPERLINK(1)": ("A", "A"), "-5": ("A", "A")})))
    assert "\n'=HYPERLINK" in formula
    assert "\n-5," in formula


def test_programs_that_pass_what_may_be_seen_and_fail_what_may_not() -> None:
    [one] = results({"q1": ("BAB", "BA")}).answered
    parts = (
        replace(
            part,
            marks=tuple(replace(mark, answer=None, visible=mark.index + mark.chain > 0) for mark in part.marks),
            selected=(0, 2),
        )
        for part in (one.refined, one.samples)
        if part
    )
    code = Answered(replace(one.item, kind=Kind.CODE, gold=None), 0, *parts)
    refined, zero, *_ = report(replace(results({}), answered=(code,))).figures.arms
    assert (refined.deceived.share, refined.deceived.answers, zero.deceived.share) == (1.0, 1, None)
    # The first that passes what may be seen is the second, which is right; the strategy chose the third.
    assert [spot.accuracy for spot in refined.over["calls"]] == [0.0, 1.0, 0.0]


def test_two_evals_are_paired_by_item() -> None:
    first = results(ROWS, "e-1")
    second = results({"q1": ("A", "A"), "q3": ("A", "A"), "q5": ("B", "A"), "q9": ("A", "A")}, "e-2")
    found = compared(first, second).to_json()
    refined = found["comparisons"][0]
    assert (found["items"], refined["arm"], refined["better"], refined["worse"]) == (3, "refined", 1, 1)
    assert found["unpaired"] == {"a": ("q2", "q4"), "b": ("q9",), "changed": ()}
    q1, *others = second.answered
    other = replace(second, answered=(replace(q1, item=replace(q1.item, digest="another")), *others))
    assert (compared(first, other).items, compared(first, other).changed) == (2, ("q1",))
    with pytest.raises(UsageError, match="no item in common"):
        compared(first, results({"q9": ("A", "A")}))
