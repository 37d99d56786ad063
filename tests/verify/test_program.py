"""Programs as models write them into a reply, and what must not pass for one."""

from textwrap import indent

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from refiner.domain.calls import Finish
from refiner.verify.program import code_problem, outline, program, same_program
from refiner.verify.syntax import is_program, missing, parsed

ADD = "def add(a, b):\n    return a + b\n"
WRONG = "def add(a, b):\n    return a - b\n"
TOTAL = "def total(xs):\n    s = 0\n    for x in xs:\n        s = add(s, x)\n    return s\n"
TEST = "def test_add():\n    assert add(1, 2) == 3\n"
USE = "from solution import add\n\nprint(add(1, 2))\n"
DOCTEST = '''def add(a, b):
    """Add.

    ```python
    add(1, 2)
    ```

    Example:
~~~
add(3, 4)
~~~
    """
    return a + b
'''


def fenced(code: str, language: str = "python", fence: str = "```") -> str:
    return f"{fence}{language}\n{code.rstrip()}\n{fence}\n"


@pytest.mark.parametrize(
    "reply",
    [
        fenced(ADD),
        fenced(ADD, ""),
        fenced(ADD, "py"),
        fenced(ADD, "Python"),
        fenced(ADD, fence="~~~~"),
        fenced(ADD, " python title=add.py"),
        fenced(f"\n\n{ADD}\n\n"),
        fenced(ADD).replace("\n", "\r\n"),
        f"\ufeff{fenced(ADD)}",
        f"Sure, here it's:\n\n{fenced(ADD)}\nIt adds `a` and `b`.",
        f"{fenced(WRONG)}was wrong, so:\n{fenced(ADD)}",
        f"{fenced(ADD)}Test it:\n{fenced(TEST)}",
        f"{fenced(ADD)}Use it:\n{fenced(USE)}",
        f"{fenced(ADD)}Run it:\n{fenced('pip install add', 'bash')}",
        f"{fenced(ADD)}The change:\n{fenced('--- a/x.py', 'diff')}",
        f"1. The program:\n\n{indent(fenced(ADD), '   ')}\n2. Done.",
        f"- {fenced(ADD)}",
        f"```python\n{ADD.rstrip()}```\nThat is it.",
        f"```python\n{WRONG}```python\n{ADD}```\n",
        f"````markdown\n{fenced(ADD)}````\n",
        f"```python\n{ADD}",
        ADD,
        f"\n\n{ADD}",
        f"Here's the function:\n\n{ADD}\nThis function's result is right.",
        f"It's this:\n\n{ADD}```\n",
        fenced(">>> def add(a, b):\n...     return a + b\n...\n", "pycon"),
        ">>> def add(a, b):\n...     return a + b\n",
    ],
)
@pytest.mark.parametrize("names", [(), ("add",)])
def test_the_program_of_a_reply(reply: str, names: tuple[str, ...]) -> None:
    assert program(reply, names=names) == ADD


def test_fences_within_a_string_do_not_end_the_block() -> None:
    assert program(f"Here:\n{fenced(DOCTEST)}Then:\n{fenced(USE)}", names=["add"]) == DOCTEST
    assert program(f"~~~python\n{DOCTEST}~~~\n") == DOCTEST


def test_tabs_and_what_mixes_them_with_blanks() -> None:
    tabbed = "def add(a, b):\n\tif a:\n\t\treturn a + b\n\treturn b\n"
    assert program(fenced(tabbed)) == tabbed
    mixed = "def add(a, b):\n    if a:\n\treturn a + b\n    return b\n"
    found = program(fenced(mixed))
    assert found is not None
    assert parsed(found) is not None


@pytest.mark.parametrize(
    "reply",
    [
        "",
        " \n",
        "I cannot do that.",
        "add",
        "```python\n```\n",
        fenced("const add = (a, b) => a + b;", "javascript"),
        fenced("function add(a, b) { return a + b; }", ""),
        fenced(ADD, "ruby"),
        fenced("def add(a, b):\n    return a +"),
        "```python\ndef add(a, b):\n    return (a +",
        "```python\ndef add(a, b):\n    '''Add two",
        "def add(a, b):\n    total = 0\n    return (a +",
        "def add(a, b):\n    '''Add two",
        "--- a/x.py\n+++ b/x.py\n@@ -1,2 +1,2 @@\n def add(a, b):\n-    return a - b\n+    return a + b\n",
        fenced("@@ -1,2 +1,2 @@\n def add(a, b):\n-    return a - b\n+    return a + b", "diff"),
        f"<<<<<<< SEARCH\n{WRONG}=======\n{ADD}>>>>>>> REPLACE\n",
        fenced(f"<<<<<<< SEARCH\n{WRONG}=======\n{ADD}>>>>>>> REPLACE"),
        fenced(TEST),
        fenced("x = " + "(" * 5000),
        fenced("def add(a, b):\n    return 'a\0b'"),
    ],
)
def test_what_is_no_program(reply: str) -> None:
    assert program(reply, names=["add"]) is None


def test_parts_of_one_program_come_together_only_where_they_need_each_other() -> None:
    together = f"{ADD.rstrip()}\n\n{TOTAL}"
    reply = f"First:\n{fenced(ADD)}then:\n{fenced(TOTAL)}and use it:\n{fenced(USE)}"
    assert program(reply, names=["add", "total"]) == together
    assert program(reply, names=["total"]) == together
    assert program(reply, names=["add"]) == ADD
    # Two versions of one function are no two parts.
    assert program(fenced(ADD) + fenced(WRONG) + fenced(TOTAL), names=["add", "total"]) is None
    assert program(fenced(together) + fenced(WRONG), names=["add", "total"]) == together
    assert program(fenced(ADD), names=["add", "total"]) is None


def test_a_name_may_be_imported_where_nothing_defines_it() -> None:
    text = "from math import gcd\n"
    assert program(fenced(text), names=["gcd"]) == text


@pytest.mark.parametrize("language", ["javascript", "rust"])
def test_another_language(language: str) -> None:
    code = "anything { at all }\n"
    assert program(f"Well:\n{fenced(code, language)}{fenced('x', 'bash')}", language=language) == code
    assert program(fenced(code, ""), language=language) == code
    assert program(code, language=language) == code
    assert program(f"```{language}\n{code}", language=language) is None
    assert program(fenced("x", "python"), language=language) is None


ASKED = "Write the whole program that is asked for."
PROMPT = f"<task>\nAdd.\n</task>\n\n<outline>\ndef add(a, b):\n    ...\n</outline>\n\n{ASKED}"


@pytest.mark.parametrize(
    ("reply", "finish", "problem"),
    [
        ("", Finish.STOP, "empty"),
        ("```python\n```", Finish.STOP, "empty"),
        (fenced(ADD), Finish.STOP, None),
        (fenced(ADD) + "And so", Finish.LENGTH, None),
        (f"```python\n{ADD}", Finish.LENGTH, "truncated"),
        (ADD, Finish.LENGTH, "truncated"),
        ("```python\ndef add(a, b):\n    return (a", Finish.STOP, "truncated"),
        (fenced("def add(a, b)\n    return a"), Finish.STOP, "unreadable"),
        ("It is right as it stands.", Finish.STOP, "unreadable"),
        (fenced(WRONG), Finish.STOP, "unchanged"),
        (fenced("def add(a,b): # mended\n  'Add.'\n  return (a - b)"), Finish.STOP, "unchanged"),
        (fenced("def add(a, b):\n    ..."), Finish.STOP, "echoed"),
        (ASKED, Finish.STOP, "echoed"),
    ],
)
def test_why_a_program_must_not_replace_another(reply: str, finish: Finish, problem: str | None) -> None:
    assert code_problem(reply, old=WRONG, prompt=PROMPT, finish=finish, names=["add"]) == problem


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("x = 1", "x=(1)  # one", True),
        ("x = 1", "x = 1.0", False),
        ("x = 0.0", "x = -0.0", False),
        ("x = 'a'", 'x = "a"', True),
        ("x = 'a'", "x = b'a'", False),
        ("f(a)(b)", "f(a, b)", False),
        ("def f():\n 'x'\n return 1", "def f():\n\n    return 1", True),
        ("def f():\n 'x'\n return f.__doc__", "def f():\n return f.__doc__", False),
        ("if a:\n b\nc", "if a:\n b\n c", False),
        ("if a:\n b\nelse:\n c", "if a:\n b\n c", False),
        ("def f(:", "def  f(:", True),
        ("def f(:", "def g(:", False),
        ("+".join("1" * 50_000), "+".join("1" * 50_000), True),
        ("x = " + "1" * 5000, "x = " + "1" * 5000, True),
    ],
)
def test_programs_are_the_same_up_to_layout(one: str, other: str, same: bool) -> None:
    assert same_program(one, other) is same


def test_an_outline_shows_no_body() -> None:
    text = (
        '"""Sums."""\nimport re\nLIMIT = 3\nclass A:\n    x: int = 1\n'
        '    def f(self) -> int:\n        """One."""\n        return 41\nprint(A())\n'
    )
    shown = outline(text)
    assert shown is not None
    assert all(word in shown for word in ("Sums", "import re", "LIMIT = 3", "x: int", "-> int", "One."))
    assert "41" not in shown
    assert "print" not in shown
    assert outline("def f(:") is None
    assert outline("print(1)") is None


def test_what_a_program_lacks() -> None:
    text = (
        "import re\ndef f(a):\n    b = [c for c in a]\n    return re.sub(g, h.x, b, len(a))\nclass A(B):\n    y = f\n"
    )
    assert missing(text) == {"g", "h", "B"}
    assert missing("def f():\n    global n\n    n = 1\nprint(n)") == frozenset()


@given(st.text(alphabet=st.sampled_from("`~ \n\tpydefax():\"'#>.=-+@<1")), st.sampled_from([(), ("a",)]))
@example("```\n" * 30 + '"""', ())
def test_it_never_raises_and_what_it_finds_parses(reply: str, names: tuple[str, ...]) -> None:
    found = program(reply, names=names)
    assert found is None or parsed(found) is not None
    assert code_problem(reply, old=None, prompt="Say.", finish=Finish.STOP, names=names) in (
        None,
        "empty",
        "truncated",
        "unreadable",
        "echoed",
    )


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="`~\r\0\ufeff")), st.booleans())
def test_prose_around_a_block_does_not_touch_it(prose: str, first: bool) -> None:
    reply = f"{prose}\n{fenced(DOCTEST)}" if first else f"{fenced(DOCTEST)}{prose}\n"
    assert program(reply, names=["add"]) == DOCTEST


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (ADD, True),
        ("x = 1", True),
        ("Note: this", False),
        ("import re", True),
        ("", False),
        ("Hello", False),
        ("1 + 1", False),
    ],
)
def test_a_word_of_prose_is_no_program(text: str, is_one: bool) -> None:
    assert is_program(text) is is_one
    assert not is_program(f"{text}\nWrite a function that adds.")
