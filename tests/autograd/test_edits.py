"""Edits: each at exactly one place, whatever their white space, and no other line touched."""

import ast

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from refiner.autograd.edits import Edited, EditProblem, apply_edits

TEXT = '''"""Sums.

Sums
=======
"""


def add(a, b):
    # both
    return a - b   # here


def total(xs):
    s = 0

    for x in xs:
        if x:
            s = add(s, x)
    return s
'''
TABBED = TEXT.replace("    ", "\t")


def block(old: str, new: str) -> str:
    return f"<<<<<<< SEARCH\n{old}\n=======\n{new}\n>>>>>>> REPLACE\n"


def made(text: str, reply: str) -> str:
    found = apply_edits(text, reply)
    assert isinstance(found, Edited), found
    return found.text


def refused(text: str, reply: str) -> EditProblem:
    found = apply_edits(text, reply)
    assert isinstance(found, EditProblem), found
    return found


MENDED = TEXT.replace("return a - b   # here", "return a + b")


@pytest.mark.parametrize(
    "reply",
    [
        block("    return a - b   # here", "    return a + b"),
        f"I mend it:\n```python\n{block('    return a - b   # here', '    return a + b')}```\nDone.",
        block("```python\n    return a - b   # here\n```", "```python\n    return a + b\n```"),
        block("    return a - b   # here", "    return a + b").replace("\n", "\r\n"),
        block("    return a - b   # here", "    return a + b").replace("SEARCH", "").replace("REPLACE", ""),
        block("    return a - b   # here", "    return a + b").replace("SEARCH", "SEARCH sums.py"),
        block("return a - b   # here", "return a + b"),
        block("\treturn a - b # here  ", "\treturn a + b"),
        block("def add(a, b):\n  # both\n  return a - b # here", "def add(a, b):\n  # both\n  return a + b"),
        block(
            "def add(a, b):\n\n    # both\n\n    return a - b # here\n",
            "def add(a, b):\n\n    # both\n\n    return a + b\n",
        ),
        block("    return a - b   # here\n\ndef total(xs):", "    return a + b\n\ndef total(xs):"),
        block("    return a - b   # here", "    return a + b") * 2,
        "```diff\n--- a/sums.py\n+++ b/sums.py\n@@ -9,3 +9,3 @@ def\n     # both\n"
        "-    return a - b   # here\n+    return a + b\n\n```\nDone",
        "@@ @@\n-return a - b # here\n+return a + b",
    ],
)
def test_one_line_is_mended_and_nothing_else(reply: str) -> None:
    assert made(TEXT, reply) == MENDED


def test_a_diff_says_which_of_two_places_it_means() -> None:
    text = "a = 1\nb = 2\na = 1\n"
    assert made(text, "@@ -3,1 +3,1 @@\n-a = 1\n+a = 3\n") == "a = 1\nb = 2\na = 3\n"
    assert refused(text, "@@ -2,1 +2,1 @@\n-a = 1\n+a = 3\n").kind == "ambiguous"


def test_several_places_at_once_and_two_files_in_a_diff() -> None:
    both = block("# both", "# all") + block("    s = 0", "    s = 0.0")
    assert made(TEXT, both) == TEXT.replace("# both", "# all").replace("s = 0\n", "s = 0.0\n")
    head = "--- a/x\n+++ b/x\n@@ -1 +1 @@\n"
    assert made(TEXT, f"{head}-    # both\n+    # all\n{head}-    s = 0\n+    s = 0.0\n") == made(TEXT, both)


def test_a_divider_may_be_a_line_of_the_text() -> None:
    assert made(TEXT, block("Sums\n=======\n", "All\n=======\n")) == TEXT.replace("Sums\n=", "All\n=")
    assert made(TEXT, block("    # both", "    # both\n    '''\n    Both\n=======\n    '''")).count("=======") == 2


def test_new_lines_take_the_measure_of_the_text() -> None:
    old = "for x in xs:\n  if x:\n    s = add(s, x)"
    new = "for x in xs:\n  if x:\n    if x > 1:\n      s = add(s, x)\nprint(s)"
    wide = made(TEXT, block(old, new))
    assert (
        "    for x in xs:\n        if x:\n            if x > 1:\n                s = add(s, x)\n    print(s)\n" in wide
    )
    assert made(TABBED, block(old, new)) == wide.replace("    ", "\t")
    assert made(TABBED, block("def add(a, b):", "def add(a, b):\n    if a:\n        print(a)")) == TABBED.replace(
        "def add(a, b):", "def add(a, b):\n\tif a:\n\t\tprint(a)"
    )


def test_blank_lines_and_repeated_lines_stay_as_they_are() -> None:
    old, new = "s = 0\nfor x in xs:", "s = 1\nfor x in xs:"
    assert made(TEXT, block(old, new)) == TEXT.replace("s = 0", "s = 1")
    assert made(TEXT, block(old, "s = 0\n\n\nfor x in xs:")) == TEXT.replace("\n    for", "\n\n\n    for")
    assert made(TEXT, block(old, "for x in xs:")) == TEXT.replace("    s = 0\n", "")


@pytest.mark.parametrize(
    ("reply", "kind", "said"),
    [
        ("", "none", "SEARCH"),
        ("def add(a, b):\n    return a + b\n", "none", "SEARCH"),
        ("<<<<<<< SEARCH\n# both\n=======\n# all\n", "cut", "REPLACE"),
        ("<<<<<<< SEARCH\n# both\n>>>>>>> REPLACE\n", "cut", "======="),
        ("<<<<<<< SEARCH\n# both\n=======\n# all\n" + block("    s = 0", "    s = 1"), "cut", "REPLACE"),
        (block("# bath", "# all"), "missing", "# both"),
        (block("# both", "# all") + block("    for y in xs:", ""), "missing", "block 2"),
        (block("def add(a, b):\n    # both\n        return a - b # here", ""), "missing", "# both"),
        (block("if x:\ns = add(s, x)", "if x:\ns = x"), "missing", "if x:"),
        (block("s", "t") + block("return", ""), "missing", "block 1"),
        (block("", "x = 1"), "empty", "copy the lines"),
        (block("# both", "# both"), "unchanged", "same"),
        (block("# both", "# all") + block("def add(a, b):\n    # both", "def add(a, b):"), "overlap", "line 9"),
        (block("    return a - b   # here", "    return (a"), "syntax", "line 10"),
        (block("    return a - b   # here", "  x = 1\n    return a"), "syntax", "line 11"),
    ],
)
def test_what_cannot_be_made_says_why(reply: str, kind: str, said: str) -> None:
    problem = refused(TEXT, reply)
    assert problem.kind == kind
    assert said in problem.message


def test_an_ambiguous_block_names_its_places() -> None:
    problem = refused("x = 1\ny = 2\n  x = 1\n".replace("  x", "x"), block("x = 1", "x = 2"))
    assert problem.kind == "ambiguous"
    assert "lines 1, 3" in problem.message


def test_a_broken_program_may_be_edited_and_stay_broken() -> None:
    assert made("def f(:\n    x\n", block("    x", "    y")) == "def f(:\n    y\n"
    assert made("def f(:\n    x\n", block("def f(:", "def f():")) == "def f():\n    x\n"


WORDS = st.text(alphabet="abc=(), ", max_size=8).map(str.lstrip)
LINES = st.lists(
    st.builds(lambda depth, word: "    " * depth + word, st.integers(0, 3), WORDS), min_size=1, max_size=25
)


def key(line: str) -> str:
    return " ".join(line.split())


@given(LINES, st.data())
def test_a_block_of_any_lines_applies_to_exactly_that_place(lines: list[str], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(lines) - 1))
    end = data.draw(st.integers(start + 1, len(lines)))
    old = lines[start:end]
    assume(any(line.strip() for line in old))
    assume(not any(line.strip() and set(line.strip()) == {"="} for line in lines))
    keys = [key(line) for line in lines if line.strip()]
    goal = [key(line) for line in old if line.strip()]
    assume(sum(keys[at : at + len(goal)] == goal for at in range(len(keys))) == 1)
    quoted = data.draw(perturbed(old))
    found = apply_edits("\n".join(lines), block("\n".join(quoted), "ZZZ"))
    if isinstance(found, EditProblem):
        assert found.kind == "syntax"
        return
    left = found.text.split("\n")
    at = next(at for at, line in enumerate(left) if line.strip() == "ZZZ")
    # To the letter, but for blank lines at the edges of the block, which may go with it.
    assert stripped(left[:at][::-1]) == stripped(lines[:start][::-1])
    assert stripped(left[at + 1 :]) == stripped(lines[end:])


def stripped(lines: list[str]) -> list[str]:
    while lines and not lines[0].strip():
        lines = lines[1:]
    return lines


def perturbed(lines: list[str]) -> st.SearchStrategy[list[str]]:
    """The lines with other white space: trailing, all indented by more, by tabs, with blank lines in between."""

    def change(shift: int, tabs: bool, trailing: list[str], blank: list[bool]) -> list[str]:
        made = []
        for at, line in enumerate(lines):
            shifted = " " * shift + line if line.strip() else line
            bare = shifted.lstrip(" ")
            depth = len(shifted) - len(bare)
            if tabs and depth % 4 == 0:
                shifted = "\t" * (depth // 4) + bare
            made.append(shifted + trailing[at])
            if blank[at]:
                made.append("")
        return made

    size = len(lines)
    return st.builds(
        change,
        st.sampled_from([0, 4, 8]),
        st.booleans(),
        st.lists(st.sampled_from(["", " ", "\t"]), min_size=size, max_size=size),
        st.lists(st.booleans(), min_size=size, max_size=size),
    )


@given(st.integers(0, 60), st.integers(1, 8), st.booleans(), st.integers(0, 2))
def test_a_line_added_to_a_real_program_keeps_all_others(at: int, size: int, tabs: bool, shift: int) -> None:
    text = (TEXT + TEXT.replace("add", "sub").replace("total", "rest").replace("xs", "ys")).replace('"""', "'''")
    lines = (text.replace("    ", "\t") if tabs else text).split("\n")
    at = min(at, len(lines) - 2)
    old = lines[at : at + size]
    assume(any(line.strip() for line in old) and "=======" not in old)
    assume("\n".join(lines).count("\n".join(old)) == 1)
    said = [f"{'    ' * shift}{line}".replace("\t", "    ") for line in old]
    last = next(line for line in reversed(said) if line.strip())
    new = f"{last[: len(last) - len(last.lstrip())]}# new"
    found = apply_edits("\n".join(lines), block("\n".join(said), "\n".join([*said, new])))
    if isinstance(found, EditProblem):
        assert found.kind in ("ambiguous", "syntax")
        return
    left = found.text.split("\n")
    left.pop(next(at for at, line in enumerate(left) if line.strip() == "# new"))
    assert [line for line in left if line.strip()] == [line for line in lines if line.strip()]


@given(st.text(alphabet="ab \t\n=<>-+@"), st.text(alphabet=st.sampled_from("ab \t\n=<>-+@SEARCHREPLACE")))
def test_it_never_raises(text: str, reply: str) -> None:
    apply_edits(text, reply)
    apply_edits(text, f"<<<<<<< SEARCH\n{reply}\n=======\n{text}\n>>>>>>> REPLACE")
    apply_edits(text, f"@@ -1 +1 @@\n{reply}")


def test_what_was_python_stays_python() -> None:
    found = made(TEXT, block("    s = 0", "    s = (0,\n  1)[0]"))
    ast.parse(found)
