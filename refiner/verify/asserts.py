"""Tests that a model wrote, read line by line: what is no test of a call against a value is left out."""

import ast
import re

MOST = 12
"""Tests that are taken from one reply."""
_CALL = re.compile(r"(?<![\w.])[A-Za-z_]\w*\(")


def asserts(reply: str) -> list[str]:
    """The lines `assert CALL == VALUE` of a reply, each once, in order; values that are no literals are left out."""
    found: dict[str, None] = {}
    for line in reply.splitlines():
        start = line.find("assert ")
        for node in _parsed(line[start:]) if start >= 0 else ():
            if isinstance(node, ast.Assert) and _compares(node.test):
                found[ast.unparse(ast.Assert(node.test))] = None
    return list(found)[:MOST]


def calls(text: str) -> list[str]:
    """The calls with literal arguments in a text, each once: the left sides of tests, or words of a critique."""
    found: dict[str, None] = {}
    for match in _CALL.finditer(text):
        for end in (at.end() for at in re.finditer(r"\)", text[match.start() : match.start() + 400])):
            nodes = _parsed(text[match.start() : match.start() + end])
            if nodes and isinstance(nodes[0], ast.Expr) and _literal_call(nodes[0].value):
                found[ast.unparse(nodes[0].value)] = None
                break
    return list(found)[:MOST]


def _compares(test: ast.expr) -> bool:
    return (
        isinstance(test, ast.Compare)
        and len(test.ops) == 1
        and isinstance(test.ops[0], ast.Eq | ast.Is)
        and isinstance(test.left, ast.Call)
        and _literal(test.comparators[0])
    )


def _literal_call(node: ast.expr) -> bool:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        return False
    return all(_literal(argument) for argument in (*node.args, *(keyword.value for keyword in node.keywords)))


def _literal(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return True


def _parsed(text: str) -> list[ast.stmt]:
    try:
        return ast.parse(text.strip().rstrip("`")).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
