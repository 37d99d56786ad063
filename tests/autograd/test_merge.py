"""What a whole rewrite lost comes back, and never a different program."""

import ast
import io
import tokenize
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import refiner
from refiner.autograd import merge
from refiner.autograd.merge import merged
from refiner.verify.syntax import documentation, parsed, same_program

OLD = '''#!/usr/bin/env python3
# Copyright, and all that

"""Sums."""
import os, sys  # both


# how sums are made
def add(a,b):
\t"""Add.

\tTwo numbers.
\t"""
\t# the sum
\treturn a-b   # of both


class Total :

\tstart = 'zero'

\tdef of(self, xs):
\t\t"""All of them."""
\t\ts = 0   # nothing yet
\t\t# one by one
\t\tfor x in xs:
\t\t\t# each
\t\t\ts = add(s,
\t\t\t        x)
\t\treturn s
# the end
'''
NEW = """import os, sys

def add(a, b):
    if a is None:
        return b
    return a + b

class Total:
    start = "zero"

    def of(self, xs):
        s = 0
        for x in xs:
            s = add(s, x)
        return s
"""
WANTED = OLD.replace("\treturn a-b   # of both", "\tif a is None:\n\t\treturn b\n\treturn a + b")


def test_all_that_the_repair_does_not_touch_is_the_old_programs() -> None:
    assert merged(OLD, NEW) == WANTED


def test_a_rewrite_without_a_change_is_the_old_program() -> None:
    assert merged(OLD, ast.unparse(ast.parse(OLD))) == OLD


@pytest.mark.parametrize("end", ["", "\n", "\n\n"])
def test_the_end_of_the_file_is_kept(end: str) -> None:
    old = f"# a\nx = 1{end}"
    assert merged(old, "x = 2\n") == f"# a\nx = 2{end}"


def test_comments_of_the_new_program_stay_where_its_code_is_new() -> None:
    new = "def f(x):\n    # guard\n    if not x:\n        return 0  # none\n    return x\n"
    assert merged("def f(x):\n    return x  # it\n", new) == new.replace("return x\n", "return x  # it\n")


def test_a_docstring_goes_to_its_own_function_only() -> None:
    old = 'def f():\n    """F."""\n    return 1\n\n\ndef g():\n    """G."""\n    return 2\n'
    assert merged(old, "def g():\n    return 2\n\n\ndef f():\n    return 3\n").count('"""F."""\n    return 3') == 1
    assert merged(old, "def g():\n    return 2\n").count('"""') == 2
    assert merged(old, 'def f():\n    """New."""\n    return 3\n').count("F.") == 1
    assert merged(old, "def f(): return 3\n") == "def f(): return 3\n"


def test_a_program_that_reads_its_docstring_keeps_the_new_one() -> None:
    old = '"""Usage: a"""\nprint(__doc__)\n'
    new = '"""Usage: b"""\nprint(__doc__)\n'
    assert merged(old, new) == new


def test_a_broken_program_gives_its_header_and_its_measure() -> None:
    assert (
        merged("# mine\n\ndef f(x):\n\treturn (x\n", "def f(x):\n    return x\n") == "# mine\n\ndef f(x):\n\treturn x\n"
    )
    assert merged("# mine\ndef f(x)\n\treturn x  # it\n", "def f(x):\n    return x\n").startswith(
        "# mine\ndef f(x):\n\t"
    )


def test_what_does_not_parse_is_left_alone() -> None:
    assert merged(OLD, "def f(:") == "def f(:"


def test_text_in_strings_is_never_moved() -> None:
    old = "def f():\n\ts = '''a\n    b\n'''\n\treturn s\n"
    new = "def f():\n    s = '''a\n    b\n    c\n'''\n    return s\n"
    assert merged(old, new) == "def f():\n\ts = '''a\n    b\n    c\n'''\n\treturn s\n"


def test_a_wrong_guess_never_changes_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merge, "_string", lambda _: "any")
    assert merged("# mine\nx = 'a'\ny = 1\n", "x = 'b'\ny = 1\n") == "# mine\nx = 'b'\ny = 1\n"


FOLDERS = [Path(refiner.__file__).parent / name for name in ("autograd", "domain", "verify")]
SOURCES = [path for folder in FOLDERS for path in sorted(folder.glob("*.py")) if path.stat().st_size > 2000]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_a_real_program_comes_back_whole(path: Path) -> None:
    old = path.read_text("utf-8")
    assert bare(old) != old
    assert merged(old, bare(old)) == old


def bare(text: str) -> str:
    """A program without comments, docstrings and blank lines, as a model may give it back."""
    tree, gone = ast.parse(text), set[int]()
    for node in ast.walk(tree):
        said = documentation(node)
        if said is not None and (isinstance(node, ast.Module) or len(getattr(node, "body", [])) > 1):
            gone.update(range(said.lineno, (said.end_lineno or said.lineno) + 1))
    tokens = [*tokenize.generate_tokens(io.StringIO(text).readline)]
    within = {row for item in tokens for row in range(item.start[0] + 1, item.end[0] + 1)}
    lines = enumerate(text.split("\n"), 1)
    kept = [line for row, line in lines if row not in gone and (row in within or line.strip()[:1] not in ("", "#"))]
    return "\n".join(kept) + "\n"


STATEMENTS = st.recursive(
    st.sampled_from(
        ["x = 1", "y = (1,\n2)", "f(x)", "pass", "'text'", "s = '''a\n  b'''", "x = 1; y = 2", "# said", ""]
    ),
    lambda inner: st.builds(
        lambda head, body: f"{head}\n" + "\n".join(f"  {line}" for line in "\n".join([*body, "pass"]).split("\n")),
        st.sampled_from(["def f():", "class A:", "if x:", "for x in y:", "while x:  # so"]),
        st.lists(inner, max_size=3),
    ),
    max_leaves=12,
)
PROGRAMS = st.lists(STATEMENTS, max_size=5).map(lambda parts: "\n".join(parts) + "\n")


@given(PROGRAMS, PROGRAMS, st.booleans())
def test_the_result_always_means_what_the_new_program_does(old: str, new: str, tabs: bool) -> None:
    found = merged(old.replace("  ", "\t") if tabs else old, new)
    assert (parsed(new) is None) == (parsed(found) is None)
    assert same_program(found, new)


@given(PROGRAMS)
def test_nothing_is_lost_of_a_program_that_stays(old: str) -> None:
    tree = parsed(old)
    if tree is not None and tree.body:
        assert merged(old, old.replace("# said\n", "\n")) == old


@pytest.mark.parametrize(
    ("head", "own"), [("", ""), ("# Licence\n\n", ""), ("", "# adds\n"), ("# (c)\n\n", "# adds\n"), ("# MIT\n", "")]
)
def test_a_helper_above_the_first_function_comes_below_the_head_and_keeps_its_distance(head: str, own: str) -> None:
    add = "def add(a, b):\n    return a - b\n"
    helped = "def minus(x):\n    return -x\n\n\n"
    assert merged(f"{head}{own}{add}", f"{helped}{add}") == f"{head}{helped}{own}{add}"
