"""A program without what it does: what passes its tests still says nothing."""

import ast

from refiner.verify.syntax import parsed

_FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


def emptied(text: str) -> str | None:
    """The imports, functions and classes of a program, with nothing in them; None where it has no function."""
    tree = parsed(text)
    if tree is None or not any(isinstance(node, _FUNCTION) for node in ast.walk(tree)):
        return None
    try:
        return ast.unparse(ast.Module(_emptied(tree.body), []))
    except RecursionError:
        return None


def _emptied(body: list[ast.stmt]) -> list[ast.stmt]:
    kept: list[ast.stmt] = []
    for node in body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                node.body = [ast.Pass()]
            case ast.ClassDef():
                node.body = _emptied(node.body) or [ast.Pass()]
            case ast.Import() | ast.ImportFrom():
                pass
            case _:
                continue
        kept.append(node)
    return kept
