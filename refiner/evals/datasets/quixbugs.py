"""QuixBugs, from a clone of its repository: one-line bugs in classic algorithms (github.com/jkoppel/QuixBugs)."""

import json
from collections.abc import Iterator
from pathlib import Path

from refiner.domain.errors import UsageError
from refiner.evals.datasets.fields import made
from refiner.evals.datasets.item import Item
from refiner.evals.lines import numbered

_TESTS = """\
import copy
import json

for arguments, expected in json.loads({cases!r}):
    assert {found}, (arguments, expected)
"""
_CALL = "{name}(*copy.deepcopy(arguments))"
_COMPARED = {
    "hanoi": "[list(move) for move in {call}] == expected",
    "sqrt": "abs({call} - expected) <= arguments[-1]",
}
"""Where its own tests compare otherwise: JSON has no tuples, and a root may be off by its argument epsilon."""


def items(folder: Path) -> Iterator[Item]:
    """Every program that has cases in JSON; those on graphs have programs for tests instead and are left out.

    The first half of its cases is visible. Raises UsageError where the folder is no clone.
    """
    programs = sorted((folder / "python_programs").glob("*.py"))
    if not programs:
        raise UsageError(f"{folder} is no clone of QuixBugs: it has no python_programs")
    for path in programs:
        file = folder / "json_testcases" / f"{path.stem}.json"
        if file.is_file():
            yield _item(path, file)


def _item(path: Path, file: Path) -> Item:
    program = path.read_text(encoding="utf-8")
    cases = []
    for number, line in numbered(file):
        if not line.strip():
            continue
        try:
            arguments, expected = json.loads(line)
        except ValueError as error:
            raise UsageError(f"{file}:{number}: no case of arguments and result: {error}") from None
        cases.append([arguments if isinstance(arguments, list) else [arguments], expected])
    return made(
        f"{path}",
        id=f"quixbugs/{path.stem}",
        question=f"Mend the function {path.stem}.",
        program=program,
        visible=_tests(path.stem, program, cases[: (len(cases) + 1) // 2]),
        tests=_tests(path.stem, program, cases),
        entry_point=path.stem,
    )


def _tests(name: str, program: str, cases: list[list[object]]) -> str:
    call = _CALL.format(name=name)
    if "yield " in program:
        call = f"list({call})"
    found = _COMPARED.get(name, "{call} == expected").format(call=call)
    return _TESTS.format(cases=json.dumps(cases), found=found)
