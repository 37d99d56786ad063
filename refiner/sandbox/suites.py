"""What a suite of tests is, told from its text alone: which runner it needs, and what it takes from the program."""

import ast
import base64
import builtins
import marshal
import math
import symtable
import typing
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Literal

from refiner.domain.code import Suite
from refiner.domain.errors import UsageError
from refiner.sandbox.inside.asserts import checks, compiled
from refiner.sandbox.sharing import reason_to_share

_MODULES = (
    "bisect cmath collections copy datetime decimal fractions functools heapq itertools json math operator random re "
    "statistics string sys time typing"
)
ASSUMED = frozenset(_MODULES.split())
"""Modules that tests may use without an import, as if the program had brought them."""

_OF_PYTEST = (
    "request tmp_path tmp_path_factory tmpdir tmpdir_factory capsys capsysbinary capfd capfdbinary monkeypatch caplog "
    "recwarn pytestconfig record_property subtests self"
)
_FIXTURES = frozenset(_OF_PYTEST.split())
_MARKS = ("parametrize", "skip", "skipif", "xfail", "usefixtures", "filterwarnings")
_AROUND = ("setup_module", "setup_function", "teardown_module", "teardown_function", "pytest_", "setUpModule")
_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Plan:
    """How a suite is run.

    tests: the files that hold tests. entry: what `check` is called with, where the tests do not call it themselves.
    names: what the tests use without defining it: the program's. imports: what they import from it. modules: standard
    ones that they use without an import. main: the files that run as `__main__`. plugins: whether pytest has to load
    the plugins of the environment. shared: why the program must be of the tests' process, None where it must not.
    known: tests by name and line, as far as the text tells. code: of plain files, compiled here once: file →
    marshalled code in base64.
    """

    how: Literal["plain", "pytest"]
    tests: tuple[str, ...]
    entry: str | None = None
    names: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    main: tuple[str, ...] = ()
    plugins: bool = False
    shared: str | None = None
    known: tuple[tuple[str, int], ...] = ()
    code: tuple[tuple[str, str], ...] = ()


@lru_cache(maxsize=256)
def recognise(suite: Suite) -> Plan:
    """Read the tests. Raises UsageError where they do not parse, hold no test, or never use the program."""
    trees = {name: _parsed(name, text) for name, text in suite.files if name.endswith(".py")}
    tests = _test_files(trees)
    if not tests:
        raise UsageError("there is no Python file among the tests")
    known = tuple(test for name in tests for test in _known(trees[name]))
    if not any(checks(tree) for tree in trees.values()):
        raise UsageError(f"{', '.join(tests)}: the tests assert nothing, so any program would pass")
    entry = next((_entry(trees[name], suite) for name in tests), None)
    free = frozenset(name for path in tests for name in _free(dict(suite.files)[path], path))
    based = frozenset(name for path in tests for name in _bases(trees[path]))
    names, modules = _shares(free, based, trees, tests, suite)
    imports = frozenset(name for tree in trees.values() for name in _imports(tree, suite.module))
    if not imports and not names and entry is None:
        raise UsageError(f"{', '.join(tests)}: the tests never use the program; they should import {suite.module!r}")
    needed = bool(known) and any(_needs_pytest(name, tree) for name, tree in trees.items())
    return Plan(
        how="pytest" if needed else "plain",
        tests=tests,
        entry=entry,
        names=tuple(sorted(names)),
        imports=tuple(sorted(imports)),
        modules=tuple(sorted(modules)),
        main=tuple(name for name in tests if not any(_known(trees[name]))),
        plugins=needed and any(_needs_plugins(tree, trees.values()) for tree in trees.values()),
        shared=next((why for tree in trees.values() if (why := reason_to_share(tree, suite.module))), None),
        known=known,
        code=() if needed else tuple((name, _code(name, dict(suite.files)[name], entry)) for name in tests),
    )


def _code(name: str, text: str, entry: str | None) -> str:
    try:
        return base64.b64encode(marshal.dumps(compiled(text, name, entry is not None))).decode()
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise _unreadable(name, error) from error


def _parsed(name: str, text: str) -> ast.Module:
    try:
        return ast.parse(text.removeprefix("\ufeff"), name)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise _unreadable(name, error) from error


def _unreadable(name: str, error: Exception) -> UsageError:
    if isinstance(error, SyntaxError):
        return UsageError(f"{name}:{error.lineno or 1}: the tests do not parse: {error.msg}")
    return UsageError(
        f"{name}: the tests do not parse: {error if isinstance(error, ValueError) else 'nested too deeply'}"
    )


def _test_files(trees: dict[str, ast.Module]) -> tuple[str, ...]:
    named = [name for name in trees if (stem := PurePosixPath(name).stem).startswith("test_") or stem.endswith("_test")]
    others = [name for name in trees if PurePosixPath(name).name not in ("conftest.py", "__init__.py")]
    return tuple(named or ([name for name in others if checks(trees[name])] or others))


def _known(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for node in tree.body:
        if isinstance(node, _Function) and node.name.startswith("test"):
            yield node.name, node.lineno
        elif isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, _Function) and inner.name.startswith("test"):
                    yield f"{node.name}.{inner.name}", inner.lineno


def _entry(tree: ast.Module, suite: Suite) -> str | None:
    check = next((node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "check"), None)
    if check is None or not check.args.args:
        return None
    if any(isinstance(node, ast.Name) and node.id == "check" for node in ast.walk(tree)):
        return None
    told = suite.entry_point or check.args.args[0].arg
    if told == "candidate":
        raise UsageError("the tests define check(candidate) but do not call it: name the function that they are about")
    return told


def _free(text: str, file: str) -> frozenset[str]:
    """The global names that are read and never bound."""
    top = symtable.symtable(text.removeprefix("\ufeff"), file, "exec")
    bound = {symbol.get_name() for symbol in top.get_symbols() if symbol.is_assigned() or symbol.is_imported()}
    read: set[str] = set()
    waiting = [top]
    while waiting:
        table = waiting.pop()
        waiting += table.get_children()
        for symbol in table.get_symbols():
            if symbol.is_declared_global() and symbol.is_assigned():
                bound.add(symbol.get_name())
            if symbol.is_referenced() and (table is top or symbol.is_global()):
                read.add(symbol.get_name())
    return frozenset(name for name in read - bound if not name.startswith("__"))


def _bases(tree: ast.Module) -> Iterator[str]:
    """The names of which an attribute is read."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield node.value.id


def _shares(
    free: frozenset[str], based: frozenset[str], trees: dict[str, ast.Module], tests: Iterable[str], suite: Suite
) -> tuple[frozenset[str], frozenset[str]]:
    """Of the names that the tests use and never define: those of the program, and those of the standard library.

    A name that may mean a builtin or something of `math` is never the program's, or it could put its own `all` or
    `isclose` into the tests; unless it is the entry point, or nothing else is left that the tests could be about.
    """
    ours = free - {suite.entry_point}
    modules = ours & ASSUMED & based
    typed = frozenset(typing.__all__) & ours
    doubtful = (frozenset(dir(builtins)) | frozenset(dir(math))) & ours
    own = free - modules - typed - doubtful
    imported = {name for tree in trees.values() for name in _imports(tree, suite.module)} - {"*"}
    if not own and not imported:
        called = frozenset(name for path in tests for name in _asserted_calls(trees[path]))
        own, doubtful = called & doubtful, doubtful - called
    of_math = doubtful - frozenset(dir(builtins))
    return own, modules | {f"typing.{name}" for name in typed} | {f"math.{name}" for name in of_math}


def _asserted_calls(tree: ast.Module) -> Iterator[str]:
    """The functions whose results are asserted on directly."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert):
            side = node.test.left if isinstance(node.test, ast.Compare) else node.test
            if isinstance(side, ast.Call) and isinstance(side.func, ast.Name):
                yield side.func.id


def _imports(tree: ast.Module, module: str) -> Iterator[str]:
    root, _, last = module.rpartition(".")
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            if node.module == module:
                yield from (alias.name for alias in node.names)
            elif (node.module == root and any(alias.name == last for alias in node.names)) or (
                node.module is not None and node.module.partition(".")[0] == module.partition(".")[0]
            ):
                yield module
        elif isinstance(node, ast.Import):
            yield from (module for name in node.names if name.name.partition(".")[0] == module.partition(".")[0])
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("import_module", "importorskip"):
            yield from (module for arg in node.args if isinstance(arg, ast.Constant) and arg.value == module)


def _needs_pytest(name: str, tree: ast.Module) -> bool:
    """Whether anything in it is pytest's own; our runner serves plain functions and unittest."""
    if PurePosixPath(name).name in ("conftest.py", "__init__.py"):
        return True
    cases = {node.name for node in tree.body if isinstance(node, ast.ClassDef) and node.bases}
    for node in tree.body:
        if isinstance(node, _Function):
            if node.name.startswith("test") and (_parameters(node) or node.decorator_list):
                return True
            if node.name.startswith(_AROUND):
                return True
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test") and node.name not in cases:
            return True
    return any(name.partition(".")[0] in ("pytest", "hypothesis") for name in _imported(tree))


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def _parameters(node: _Function) -> list[str]:
    args = [*node.args.posonlyargs, *node.args.args][: -len(node.args.defaults) or None]
    return [arg.arg for arg in args if arg.arg != "self"]


def _needs_plugins(tree: ast.Module, trees: Iterable[ast.Module]) -> bool:
    """Whether a fixture or a mark is of neither pytest nor these files."""
    own = {node.name for one in trees for node in ast.walk(one) if isinstance(node, _Function)}
    own |= {
        part.strip()
        for one in trees
        for node in ast.walk(one)
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "parametrize"
        for arg in node.args[:1]
        for part in _texts(arg)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.AsyncFunctionDef) and node.name.startswith("test"):
            return True
        if (
            isinstance(node, _Function)
            and node.name.startswith("test")
            and not _given(node)
            and any(name not in own and name not in _FIXTURES for name in _parameters(node))
        ):
            return True
        if isinstance(node, ast.Attribute) and getattr(node.value, "attr", "") == "mark" and node.attr not in _MARKS:
            return True
    return False


def _given(node: _Function) -> bool:
    return any(getattr(getattr(mark, "func", mark), "id", "") == "given" for mark in node.decorator_list)


def _texts(arg: ast.expr) -> list[str]:
    parts = arg.elts if isinstance(arg, ast.Tuple | ast.List) else [arg]
    return [name for part in parts if isinstance(part, ast.Constant) for name in str(part.value).split(",")]
