"""What a model puts beside a program without being asked: the tests that it was shown."""

import ast
from collections.abc import Iterable

from refiner.domain.code import Suite
from refiner.verify.syntax import defined, documentation, parsed


def without_tests(program: str, suite: Suite) -> str:
    """The program without test functions and asserts at its top level, and without an import of itself.

    It stays as it is where it does not parse, or where that would leave nothing.
    """
    tree = parsed(program)
    if tree is None:
        return program
    trees = (parsed(text) for _, text in suite.files)
    tests = frozenset[str]().union(*(defined(tests, imports=False) for tests in trees if tests)) - set(suite.names)
    spare = [node for node in tree.body if _beside(node, tests, suite.module)]
    if not spare or len(spare) == len(tree.body):
        return program
    drop = {number for node in spare for number in _lines(node)}
    kept = [line for number, line in enumerate(program.splitlines(), 1) if number not in drop]
    return "\n".join(kept).strip("\n") + "\n"


def without_documentation(program: str, name: str) -> str:
    """The program without the docstring of a function at its top level, where that has lines of its own."""
    tree = parsed(program)
    for node in tree.body if tree else ():
        if isinstance(node, ast.FunctionDef) and node.name == name and (said := documentation(node)) and node.body[1:]:
            first, last, lines = said.lineno, said.end_lineno or said.lineno, program.splitlines()
            if "".join(lines[first - 1 : last]).strip()[-1] in "\"'" and lines[first - 1][: said.col_offset].isspace():
                return "\n".join([*lines[: first - 1], *lines[last:]]) + "\n"
    return program


def _beside(node: ast.stmt, tests: frozenset[str], module: str) -> bool:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return name in tests
        case ast.ImportFrom(module=name):
            return name == module
        case ast.Import(names=aliases):
            return all(alias.name in (module, "pytest", "unittest") for alias in aliases)
        case ast.Assert():
            return True
    return False


def _lines(node: ast.stmt) -> Iterable[int]:
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(decorator.lineno for decorator in decorators)])
    return range(first, (node.end_lineno or node.lineno) + 1)
