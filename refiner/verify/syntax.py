"""Python as syntax: does it parse, what does it define and need, and are two programs the same."""

import ast
import builtins
import re
import symtable
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_GIVEN = frozenset(
    ("__name__", "__file__", "__doc__", "__annotations__", "__spec__", "__package__", "__loader__", "__class__")
) | frozenset(dir(builtins))


def parsed(text: str) -> ast.Module | None:
    """The tree of a program, None for what is not Python. Never raises, never warns."""
    try:
        return parse(text)
    except SyntaxError:
        return None


def parse(text: str) -> ast.Module:
    """The tree of a program. Raises SyntaxError, also for what the parser refuses in other words (depth, NUL)."""
    with _quietly():
        return ast.parse(text)


@contextmanager
def _quietly() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except (ValueError, RecursionError, MemoryError) as error:  # NUL or a lone surrogate; nested too deeply
            raise SyntaxError(str(error) or "it is nested too deeply") from error


def is_program(text: str) -> bool:
    """Whether a text is Python that defines or does something, and no prose that happens to parse."""
    tree = parsed(text)
    return tree is not None and any(map(does, tree.body))


def does(statement: ast.stmt) -> bool:
    """Whether a statement has an effect: not a value that stands for itself, nor "Note: this", which is one of type."""
    if isinstance(statement, ast.AnnAssign):
        return statement.value is not None
    return not isinstance(statement, ast.Expr) or isinstance(statement.value, (ast.Call, ast.Await))


def in_string(text: str) -> bool:
    """Whether a text ends inside a triple-quoted string."""
    if '"""' not in text and "'''" not in text:
        return False
    try:
        parse(text)
    except SyntaxError as error:
        return (error.msg or "").startswith("unterminated triple-quoted")
    return False


def same_program(one: str, other: str) -> bool:
    """Whether two programs differ in nothing but layout, comments and docstrings.

    Docstrings count where a program reads its own. What does not parse is compared word by word.
    """
    first, second = parsed(one), parsed(other)
    if first is None or second is None:
        return one.split() == other.split()
    return same_tree(first, second, docstrings=reads_docstrings(first) or reads_docstrings(second))


def reads_docstrings(tree: ast.Module) -> bool:
    """Whether a program uses its own documentation, which then is part of what it does."""
    names = (getattr(node, "id", None) or getattr(node, "attr", None) for node in ast.walk(tree))
    return "__doc__" in names


def same_tree(first: ast.AST, second: ast.AST, *, docstrings: bool = True) -> bool:
    """Whether two trees are equal, wherever their nodes stand; `ast.dump` would fall over a long chain of operators."""
    left: list[object] = [first]
    right: list[object] = [second]
    while left:
        one, other = left.pop(), right.pop()
        if type(one) is not type(other):
            return False
        if isinstance(one, ast.AST) and isinstance(other, ast.AST):
            left += _parts(one, docstrings=docstrings)
            right += _parts(other, docstrings=docstrings)
        elif isinstance(one, list) and isinstance(other, list):
            left += one
            right += other
        elif one != other or (isinstance(one, (float, complex)) and repr(one) != repr(other)):
            return False
        if len(left) != len(right):
            return False
    return True


def _parts(node: ast.AST, *, docstrings: bool) -> Iterator[object]:
    for name in node._fields:
        value = getattr(node, name, None)
        if name in ("kind", "type_ignores"):
            continue
        if isinstance(value, list):
            value = value[1:] if name == "body" and not docstrings and documentation(node) else value
            yield len(value)
        yield value


def documentation(node: ast.AST) -> ast.Expr | None:
    """The docstring statement of a module, class or function."""
    first = node.body[0] if isinstance(node, _DOCUMENTED) and node.body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        return first
    return None


def defined(tree: ast.Module, *, imports: bool = True) -> frozenset[str]:
    """The names that a program has at its top level, also below `if`, `try` and `with`."""
    names: set[str] = set()
    todo: list[ast.AST] = list(tree.body)
    while todo:
        node = todo.pop()
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                if imports:
                    names |= {(alias.asname or alias.name).partition(".")[0] for alias in aliases}
            case ast.Name(id=name, ctx=ast.Store()):
                names.add(name)
            case ast.Lambda() | ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                pass
            case _:
                todo += ast.iter_child_nodes(node)
    return frozenset(names)


def missing(text: str) -> frozenset[str]:
    """The names that a program reads and that neither it nor Python defines."""
    try:
        with _quietly():
            top = symtable.symtable(text, "program", "exec")
    except SyntaxError:
        return frozenset()
    own = {symbol.get_name() for symbol in top.get_symbols() if symbol.is_assigned() or symbol.is_imported()}
    read: set[str] = set()
    todo = [top]
    while todo:
        table = todo.pop()
        todo += table.get_children()
        for symbol in table.get_symbols():
            if table is top or symbol.is_global():
                (own if symbol.is_declared_global() and symbol.is_assigned() else read).add(symbol.get_name())
    return frozenset(read - own - _GIVEN)


def outline(text: str, about: Mapping[str, str] = MappingProxyType({})) -> str | None:
    """A program without what its functions do: imports, constants, signatures, documentation; None if it has none.

    about: documentation of undocumented functions, by their names.
    """
    tree = parsed(text)
    if tree is None or not any(isinstance(node, _DOCUMENTED) for node in tree.body):
        return None
    for node in _undocumented(tree):
        if node.name in about:
            node.body.insert(0, ast.Expr(ast.Constant(about[node.name])))
    tree.body = [kept for node in tree.body for kept in _sketched(node)]
    try:
        return ast.unparse(tree)
    except RecursionError:
        return None


def undocumented(text: str) -> frozenset[str]:
    """The functions at the top level of a program that have no docstring."""
    tree = parsed(text)
    return frozenset(node.name for node in _undocumented(tree)) if tree else frozenset()


def _undocumented(tree: ast.Module) -> list[ast.FunctionDef]:
    return [node for node in tree.body if isinstance(node, ast.FunctionDef) and not documentation(node)]


def _sketched(node: ast.stmt) -> Iterator[ast.stmt]:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            said = documentation(node)
            node.body = [*([said] if said else []), ast.Expr(ast.Constant(...))]
            yield node
        case ast.ClassDef():
            node.body = [kept for inner in node.body for kept in _sketched(inner)] or [ast.Pass()]
            yield node
        case ast.Import() | ast.ImportFrom() | ast.Assign() | ast.AnnAssign():
            yield node
        case ast.Expr(value=ast.Constant(value=str())):
            yield node
        case _:
            pass


def coding(text: str) -> str | None:
    """The encoding that the first two lines of a program declare (PEP 263), as they spell it."""
    found = re.match(r"(?:[ \t\f]*(?:#.*)?\n)?[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)", text)
    return found[1] if found else None
