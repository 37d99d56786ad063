"""From tests to a suite: the files, the name of the program, and the names that it must have."""

from pathlib import Path

import pytest

from refiner.app.source import Source
from refiner.app.suite import suite_of
from refiner.domain.code import Suite
from refiner.domain.errors import NotFoundError, UsageError

UNITTEST = """import unittest
from add import add
class T(unittest.TestCase):
    def test(self):
        self.assertEqual(add(1, 2), 3)
"""
ADD = "def add(a, b):\n    return a - b\n"


def project(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def suite(folder: Path, tests: str, program: str | None = "add.py") -> Suite:
    return suite_of(folder / tests, None, Source.read(folder / program) if program else None)


@pytest.mark.parametrize(
    ("text", "names", "entry_point"),
    [
        ("assert add(1, 2) == 3\n", ("add",), None),
        ("from add import add, LIMIT\ndef test():\n    assert add(1, LIMIT) == 3\n", ("LIMIT", "add"), None),
        ("from add import add as plus\ndef test():\n    assert plus(1, 2) == 3\n", ("add",), None),
        ("import add\ndef test():\n    assert add.add(1, 2) == add.three\n", ("add", "three"), None),
        ("import add as a\ndef test():\n    assert a.add(1, 2) == 3\n", ("add",), None),
        ("from add import *\ndef test(tmp_path):\n    assert add(1, 2) == len(tmp_path)\n", ("add",), None),
        ("def check(candidate):\n    assert candidate(1, 2) == 3\ncheck(add)\n", ("add",), "add"),
        ("def check(add):\n    assert add(1, 2) == 3\n", ("add",), "add"),
        ("def check(candidate):\n    assert candidate(1, 2) == 3\n", ("add",), "add"),
        ("def check(candidate):\n    assert add(1, 2) == 3\n", ("add",), "add"),
        (
            "METADATA = {'entry_point': 'plus'}\ndef check(candidate):\n    assert candidate(1, 2) == 3\n",
            ("plus",),
            "plus",
        ),
        (
            "def check(case):\n    assert add(*case) == 3\ndef test():\n    for c in [(1, 2)]:\n        check(c)\n",
            ("add",),
            None,
        ),
        ("for a, b in [(1, 2)]:\n    assert add(a, b) == sum([a, b])\n", ("add",), None),
        (UNITTEST, ("add",), None),
    ],
)
def test_what_the_tests_need(text: str, names: tuple[str, ...], entry_point: str | None, tmp_path: Path) -> None:
    found = suite(project(tmp_path, {"add.py": ADD, "test_it.py": text}), "test_it.py")
    assert found == Suite((("test_it.py", text),), "add", entry_point, names)


def test_a_file_brings_the_fixtures_and_helpers_it_uses_and_not_the_program(tmp_path: Path) -> None:
    files = {
        "add.py": ADD,
        "test_it.py": "from add import add\nfrom helpers import three\ndef test():\n    assert add(1, 2) == three()\n",
        "conftest.py": "import more\n",
        "helpers.py": "def three():\n    return 3\n",
        "more.py": "",
        "other.py": "secret = 1\n",
        "test_other.py": "",
    }
    found = suite(project(tmp_path, files), "test_it.py")
    assert [name for name, _ in found.files] == ["conftest.py", "helpers.py", "more.py", "test_it.py"]
    assert found.names == ("add",)


def test_relative_imports_of_the_program_become_whole_names(tmp_path: Path) -> None:
    imports = "from ..calc import add\nfrom .. import calc\nfrom .helpers import one\n"
    files = {"shop/tests/test_calc.py": f"{imports}assert add(one, 2) == 3\n", "shop/tests/helpers.py": "one = 1\n"}
    packages = dict.fromkeys(("shop/__init__.py", "shop/tests/__init__.py"), "")
    project(tmp_path, {"shop/calc.py": ADD, **files, **packages})
    found = suite(tmp_path, "shop/tests", "shop/calc.py")
    assert (found.module, found.names) == ("shop.calc", ("add",))
    assert dict(found.files)["shop/tests/test_calc.py"].splitlines()[:3] == [
        "from shop.calc import add",
        "from shop import calc",
        "from .helpers import one",
    ]


def test_a_file_brings_the_data_that_it_names(tmp_path: Path) -> None:
    text = "import pathlib\nhere = pathlib.Path(__file__).parent\n"
    text += "rows = (here / 'data' / 'rows.txt').read_text() + open(here / 'more.txt').read()\n"
    text += "assert add(rows, '.env') == ('/etc/hosts', '../up.txt', 'data')\n"
    files = dict.fromkeys(("data/rows.txt", "data/other.txt", "more.txt", "other.txt", ".env", "../up.txt"), "1\n")
    folder = tmp_path / "here"
    project(folder, {"add.py": ADD, "test_add.py": text, **files})
    assert [name for name, _ in suite(folder, "test_add.py").files] == ["data/rows.txt", "more.txt", "test_add.py"]


def test_a_folder_brings_all_its_text(tmp_path: Path) -> None:
    files = {
        "add.py": ADD,
        "tests/test_a.py": "from add import add\ndef test_a():\n    assert add(1, 2) == 3\n",
        "tests/deep/b_test.py": "from add import sub\ndef test_b():\n    assert sub(1, 2) == 3\n",
        "tests/data.json": "{}",
        "tests/helpers.py": "assert nothing\n",
        "tests/.hidden.py": "",
        "tests/__pycache__/x.py": "",
    }
    project(tmp_path, files)
    (tmp_path / "tests" / "picture.png").write_bytes(b"\x89PNG\xff")
    (tmp_path / "tests" / "zero.bin").write_bytes(b"\0")
    (tmp_path / "tests" / "loop").symlink_to(tmp_path)
    found = suite(tmp_path, "tests")
    assert [name for name, _ in found.files] == ["data.json", "deep/b_test.py", "helpers.py", "test_a.py"]
    assert found.names == ("add", "sub")
    assert (found.module, found.folder) == ("add", None)


def test_tests_in_a_package_find_each_other_by_its_name(tmp_path: Path) -> None:
    files = {
        "add.py": ADD,
        "tests/__init__.py": "",
        "tests/helpers.py": "THREE = 3\n",
        "tests/test_a.py": "from add import add\nfrom tests.helpers import THREE\nassert add(1, 2) == THREE\n",
    }
    project(tmp_path, files)
    wanted = ["tests/__init__.py", "tests/helpers.py", "tests/test_a.py"]
    assert [name for name, _ in suite(tmp_path, "tests").files] == wanted
    assert [name for name, _ in suite(tmp_path, "tests/test_a.py").files] == wanted


@pytest.mark.parametrize(
    ("program", "line", "module", "folder"),
    [
        ("pkg/mod.py", "from pkg.mod import add", "pkg.mod", ""),
        ("pkg/mod.py", "from pkg import mod\nadd = mod.add", "pkg.mod", ""),
        ("pkg/mod.py", "from pkg import add", "pkg.mod", ""),
        ("src/bare/mod.py", "from src.bare.mod import add", "src.bare.mod", ""),
        ("src/bare/mod.py", "from bare.mod import add", "bare.mod", "src"),
        ("pkg/sub/mod.py", "from pkg.sub.mod import add", "pkg.sub.mod", ""),
        ("pkg/__init__.py", "from pkg import add", "pkg", ""),
        ("src/pkg/mod.py", "from pkg.mod import add", "pkg.mod", "src"),
        ("bare/mod.py", "from bare.mod import add", "bare.mod", ""),
        ("alone.py", "from alone import add", "alone", None),
        ("alone.py", "", "alone", None),
        ("using.py", "from using import add", "using", ""),
    ],
)
def test_the_place_of_a_program_in_its_project(
    program: str, line: str, module: str, folder: str | None, tmp_path: Path
) -> None:
    packages = ("pkg", "pkg/sub", "src/pkg")
    files = {
        **{f"{package}/__init__.py": "# a package\n" for package in packages},
        "beside.py": "ONE = 1\n",
        "tests/test_it.py": f"{line}\ndef test():\n    assert add(1, 2) == 3\n",
        program: f"import beside\n{ADD}" if program == "using.py" else ADD,
    }
    found = suite(project(tmp_path, files), "tests/test_it.py", program)
    assert (found.module, found.folder) == (module, None if folder is None else str(tmp_path / folder).rstrip("/"))
    assert found.names == (() if line == "from pkg import add" and module == "pkg.mod" else ("add",))


@pytest.mark.parametrize(
    ("text", "module"),
    [
        ("from solution import add\nassert add(1, 2) == 3", "solution"),
        ("import json, pytest\nfrom sums import add\nassert add(1, 2) == 3", "sums"),
        ("import numpy as np\nimport solution\nassert np.all(solution.add(1, 2) == 3)", "solution"),
        ("import click\nfrom my.sums import add\nassert add(1, 2) == 3", "my.sums"),
        ("from helpers import three\nfrom sums import add\nassert add(1, 2) == three", "sums"),
        ("from it import add\nassert add(1, 2) == 3", "it"),
        ("assert add(1, 2) == 3", "solution"),
    ],
)
def test_without_a_program_the_tests_name_it(text: str, module: str, tmp_path: Path) -> None:
    files = {"test_it.py": text, "helpers.py": "three = 3\n", "it.py": "# an old version\n"}
    found = suite(project(tmp_path, files), "test_it.py", None)
    assert found.module == module
    assert "it.py" not in dict(found.files)
    assert "add" in found.names


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no test"),
        ("from add import add\nprint(add(1, 2))\n", "has no test"),
        ("def test():\n    assert add(1, 2 == 3\n", "test_it.py, line 2: the tests do not parse"),
        ("def check(candidate):\n    assert candidate(1) == 1\n", "does not say which function"),
    ],
)
def test_tests_that_cannot_be_used(text: str, message: str, tmp_path: Path) -> None:
    project(tmp_path, {"test_it.py": text, "two.py": "def a(): ...\ndef b(): ...\n"})
    with pytest.raises(UsageError, match=message):
        suite(tmp_path, "test_it.py", "two.py")


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_bytes(b"x = '\xe9'")
    with pytest.raises(UsageError, match=r"test_it.py is not UTF-8 \(byte 5\)"):
        suite(tmp_path, "test_it.py", None)
    with pytest.raises(NotFoundError, match="there is no file"):
        suite(tmp_path, "none.py", None)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="has no test"):
        suite(tmp_path, "empty", None)
    (tmp_path / "empty" / "big.txt").write_bytes(b"x" * 8_000_001)
    with pytest.raises(UsageError, match="holds more than 8,000,000 bytes"):
        suite(tmp_path, "empty", None)


def test_a_test_with_a_byte_order_mark_and_other_line_ends(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_bytes(b"\xef\xbb\xbfassert add(1, 2) == 3\r\n")
    assert suite(tmp_path, "test_it.py", None).files == (("test_it.py", "assert add(1, 2) == 3\n"),)


def test_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project(tmp_path, {"add.py": ADD, "judge.py": "", "pkg/__init__.py": "", "pkg/mod.py": ADD}))
    assert suite_of(None, "node {}", Source.read(Path("add.py"))) == Suite(module="add", command="node {}")
    assert suite_of(None, "python judge.py {}", None).folder == str(tmp_path)
    inner = suite_of(None, "node {}", Source.read(Path("pkg/mod.py")))
    assert (inner.module, inner.folder) == ("pkg.mod", str(tmp_path))
    for check, message in [("node", "has no {}"), ("node '{}", "cannot be read as a command")]:
        with pytest.raises(UsageError, match=message):
            suite_of(None, check, None)
    with pytest.raises(UsageError, match="not both"):
        suite_of(Path("judge.py"), "node {}", None)
    assert suite_of(None, None, None) == Suite()
