"""What tests say about the program that they are for: its module, its names, the function that they check."""

import ast
from collections.abc import Iterable, Iterator

from refiner.verify.syntax import defined, missing, parsed

_ANY = frozenset(("candidate", "func", "function", "f", "fn", "solution", "program"))
"""Parameters of `check` that name no function."""


def has_test(tree: ast.Module) -> bool:
    """Whether a file tests anything: by an assertion, or a function named for a test."""
    return any(
        isinstance(node, ast.Assert)
        or (isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test"))
        for node in ast.walk(tree)
    )


def modules(tree: ast.Module, *, relative: bool = False) -> Iterator[str]:
    """The dotted names of the modules that a file imports; relative ones without their dots."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=aliases):
                yield from (alias.name for alias in aliases)
            case ast.ImportFrom(module=str(name), level=level) if relative or not level:
                yield name


def possible_modules(tree: ast.Module, *, relative: bool = False) -> Iterator[str]:
    """The modules that a file imports, and the names it takes from them, which may be modules as well."""
    yield from modules(tree, relative=relative)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (relative or not node.level):
            yield from (f"{node.module}.{alias.name}" if node.module else alias.name for alias in node.names)


def checked(tree: ast.Module) -> tuple[bool, str | None]:
    """Whether the test is a function `check(candidate)` that waits for its candidate, and what it is to be called with.

    The name is that of a call at the end of the file, of an "entry_point" in its metadata, or of the parameter; None
    where they say nothing.
    """
    function = next(
        (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "check"),
        None,
    )
    if function is None or len(function.args.args) != 1:
        return False, None
    for statement in tree.body:
        match statement:
            case ast.Expr(ast.Call(func=ast.Name("check"), args=[ast.Name(name)])):
                return True, name
    if any(isinstance(node, ast.Call) and dotted(node.func) == "check" for node in ast.walk(tree)):
        return False, None  # a helper of other tests, which call it themselves
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                match key, value:
                    case ast.Constant("entry_point"), ast.Constant(str(name)):
                        return True, name
    parameter = function.args.args[0].arg
    return True, None if parameter in _ANY else parameter


def names_of(text: str, module: str, helpers: Iterable[str] = ()) -> frozenset[str]:
    """The names that a test file needs from the program: those it imports from the module or reads of it, and where it
    does not import it, those that are defined nowhere. helpers: the texts of the files beside it."""
    tree = parsed(text)
    if tree is None:
        return frozenset()
    parent, _, last = module.rpartition(".")
    found: set[str] = set()
    bound: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=name, names=aliases, level=level) if name == (last if level else module):
                found |= {alias.name for alias in aliases}
            case ast.ImportFrom(module=name, names=aliases, level=level) if level or name == parent:
                bound |= {alias.asname or last for alias in aliases if alias.name == last}
            case ast.Import(names=aliases):
                bound |= {alias.asname or module for alias in aliases if alias.name == module}
    found |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and dotted(node.value) in bound}
    if "*" in found or not (found or bound):
        others = (parsed(helper) for helper in helpers)
        beside = frozenset[str]().union(*(defined(other) for other in others if other))
        found |= missing(text) - beside
    return frozenset(found - {"*"})


def dotted(node: ast.expr) -> str | None:
    """A name with its attributes as it is written, None for another expression."""
    match node:
        case ast.Name(name):
            return name
        case ast.Attribute(inner, name):
            base = dotted(inner)
            return f"{base}.{name}" if base else None
    return None
