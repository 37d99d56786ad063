"""Tests as plain code: every assertion tells both its sides, and one that fails does not hide the next.

In the body of the file, and of the function that holds its checks, each statement is a step of its own: an assertion,
or a call of a helper that asserts, is a case; any other statement is one only when it raises. Elsewhere they raise.
"""

import ast
import types
from collections.abc import Iterator

HOOK = "__refiner__"
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_COMPOUND = (ast.For, ast.While, ast.If, ast.AsyncFor)
_LEFT_ALONE = (
    *_FUNCTIONS,
    ast.ClassDef,
    ast.Import,
    ast.ImportFrom,
    ast.Global,
    ast.Nonlocal,
    ast.Pass,
    ast.Return,
    ast.Break,
    ast.Continue,
)
_PAIRS = ("isclose", "allclose", "array_equal", "array_equiv", "close", "approx_equal", "almost_equal")


def compiled(text: str, file: str, check: bool) -> types.CodeType:
    """The file as code; check: `check` is called by us."""
    tree = instrumented(text.removeprefix("\ufeff"), file, "check" if check else None)
    return compile(tree, file, "exec", dont_inherit=True)


def instrumented(text: str, file: str, entry: str | None) -> ast.Module:
    """The file as it is run; `entry` names the function of it that is called by us. Raises SyntaxError."""
    tree = ast.parse(text, file)
    functions = {node.name: node for node in tree.body if isinstance(node, _FUNCTIONS)}
    shape = _Shape(tree, functions)
    opened = {entry} & set(functions) if entry is not None else set()
    _mark(tree.body, shape, opened)
    for name in opened:
        functions[name].body = _steps(functions[name].body, shape, opened)
    body = _steps(tree.body, shape, opened)
    head = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    tree.body = [*head, *(node for node in body if node not in head)]
    _Rewrite().visit(tree)
    return ast.fix_missing_locations(tree)


class _Shape:
    """What of the file's own functions asserts, and how often each is called."""

    def __init__(self, tree: ast.Module, functions: dict[str, ast.FunctionDef | ast.AsyncFunctionDef]) -> None:
        self.functions = functions
        self.calls: dict[str, int] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                self.calls[node.id] = self.calls.get(node.id, 0) + 1
        self._asserting: dict[str, bool] = {}

    def asserting(self, name: str) -> bool:
        """Whether the function can fail by an assertion, itself or by a function that it calls."""
        if name not in self.functions:
            return False
        if name not in self._asserting:
            self._asserting[name] = False
            self._asserting[name] = checks(self.functions[name]) or any(
                self.asserting(called) for called in _called(self.functions[name])
            )
        return self._asserting[name]


def checks(node: ast.AST) -> bool:
    """Whether there is an assertion in it: assert, raise, or a method of unittest or pytest that asserts."""
    return any(
        isinstance(inner, ast.Assert | ast.Raise)
        or (isinstance(inner, ast.Attribute) and inner.attr.startswith(("assert", "fail", "raises", "warns")))
        or (isinstance(inner, ast.Name) and inner.id.startswith(("assert_", "raises")))
        for inner in ast.walk(node)
    )


def _called(node: ast.AST) -> Iterator[str]:
    return (call.func.id for call in ast.walk(node) if isinstance(call, ast.Call) and isinstance(call.func, ast.Name))


def _own_call(node: ast.stmt) -> str | None:
    call = node.value if isinstance(node, ast.Expr) else None
    return call.func.id if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) else None


def _mark(body: list[ast.stmt], shape: _Shape, opened: set[str]) -> None:
    """Find the functions that are called once, not in a loop, and assert: their statements are steps as well."""
    waiting = [body, *(shape.functions[name].body for name in opened)]
    while waiting:
        for node in waiting.pop():
            if isinstance(node, ast.If):
                waiting += [node.body, node.orelse]
            name = _own_call(node)
            if name is None or name in opened or shape.calls.get(name) != 1 or not shape.asserting(name):
                continue
            if isinstance(shape.functions[name], ast.FunctionDef) and not name.startswith("test"):
                opened.add(name)
                waiting.append(shape.functions[name].body)


def _steps(body: list[ast.stmt], shape: _Shape, opened: set[str]) -> list[ast.stmt]:
    return [_step(node, shape, opened) for node in body]


def _step(node: ast.stmt, shape: _Shape, opened: set[str]) -> ast.stmt:
    if isinstance(node, _LEFT_ALONE) or _is_text(node):
        return node
    case = isinstance(node, ast.Assert)
    if isinstance(node, _COMPOUND) and not _guards(node):
        node.body, node.orelse = _steps(node.body, shape, opened), _steps(node.orelse, shape, opened)
    else:
        called = _own_call(node)
        case = case or (called not in opened and (checks(node) or any(map(shape.asserting, _called(node)))))
    made = ast.With(items=[ast.withitem(context_expr=_hook("step", *_place(node), ast.Constant(case)))], body=[node])
    return ast.copy_location(made, node)


def _guards(node: ast.For | ast.AsyncFor | ast.While | ast.If) -> bool:
    """Whether it is an assertion as a whole: `if …: raise`, or a loop that fails by not having been left."""
    if isinstance(node, ast.If):
        return any(isinstance(inner, ast.Raise) for inner in [*node.body, *node.orelse])
    return any(map(checks, node.orelse))


def _place(node: ast.stmt) -> tuple[ast.Constant, ast.Constant]:
    return ast.Constant(node.lineno), ast.Constant(node.end_lineno)


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _hook(name: str, *args: ast.expr) -> ast.Call:
    called = ast.Attribute(value=ast.Name(id=HOOK, ctx=ast.Load()), attr=name, ctx=ast.Load())
    return ast.Call(func=called, args=list(args), keywords=[])


class _Rewrite(ast.NodeTransformer):
    """Every assert, as code that tells what it compared."""

    def visit_Assert(self, node: ast.Assert) -> list[ast.stmt]:
        parts = node.test.values if isinstance(node.test, ast.BoolOp) and isinstance(node.test.op, ast.And) else None
        return [self._one(node, part) for part in parts or [node.test]]

    def visit_Assign(self, node: ast.Assign) -> ast.Assign:
        value, target = node.value, node.targets[0]
        named = len(node.targets) == 1 and isinstance(target, ast.Name) and target.id
        if named and isinstance(value, ast.Compare) and [type(op) for op in value.ops] in ([ast.Eq], [ast.NotEq]):
            told = _hook("kept", ast.Constant(named), value.left, value.comparators[0], _op(value))
            node.value = ast.copy_location(told, value)
        return node

    def _one(self, node: ast.Assert, test: ast.expr) -> ast.stmt:
        told = self._told(test)
        raised = ast.Raise(
            exc=_hook("failed", *_place(node), *([node.msg] if node.msg is not None else [])), cause=None
        )
        made = ast.If(test=ast.UnaryOp(op=ast.Not(), operand=told), body=[raised], orelse=[])
        return ast.copy_location(made, node)

    def _told(self, test: ast.expr) -> ast.expr:
        if isinstance(test, ast.Compare) and len(test.ops) == 1:
            near = test.left
            if (
                isinstance(test.ops[0], ast.Lt | ast.LtE)
                and isinstance(near, ast.Call)
                and isinstance(near.func, ast.Name)
                and near.func.id == "abs"
                and len(near.args) == 1
                and isinstance(near.args[0], ast.BinOp)
                and isinstance(near.args[0].op, ast.Sub)
            ):
                apart = near.args[0]
                return _hook("near", near.func, apart.left, apart.right, test.comparators[0], _op(test))
            return _hook("compared", test.left, test.comparators[0], _op(test))
        if (
            isinstance(test, ast.Call)
            and len(test.args) >= 2
            and not any(isinstance(a, ast.Starred) for a in test.args)
        ):
            name = test.func.attr if isinstance(test.func, ast.Attribute) else getattr(test.func, "id", "")
            if name.strip("_") in _PAIRS:
                call = _hook("paired", test.func, *test.args)
                call.keywords = test.keywords
                return call
        name = test.id if isinstance(test, ast.Name) else ""
        return _hook("true", test, ast.Constant(name))


def _op(test: ast.Compare) -> ast.Constant:
    return ast.Constant(_OPERATORS[type(test.ops[0])])


_OPERATORS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Is: "is",
    ast.IsNot: "is not",
    ast.In: "in",
    ast.NotIn: "not in",
}
