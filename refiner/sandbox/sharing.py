"""Tests that reach into the program: patching, reading its source, growing classes from its own.

They only mean something where the program is of their own process, and there it could forge what they say.
"""

import ast
from collections.abc import Iterator

_FIXTURES = {
    "monkeypatch": "they patch with monkeypatch",
    "mocker": "they patch with mocker",
    "tmp_path": "they hand files over",
    "tmpdir": "they hand files over",
    "caplog": "they read the log",
    "recwarn": "they read warnings",
    "capfd": "they read descriptors",
}
_CALLS = {
    "patch": "they patch",
    "reload": "they reload the program",
    "getsource": "they read the program's source",
    "run_path": "they run the program as a script",
    "run_module": "they run the program as a script",
    "spec_from_file_location": "they load the program from its file",
    "testmod": "they run the program's doctests",
    "globals": "they reach for globals",
    "vars": "they reach for a module's variables",
    "warns": "they read warnings",
    "deprecated_call": "they read warnings",
    "assertWarns": "they read warnings",
    "assertLogs": "they read the log",
    "write_text": "they hand files over",
    "write_bytes": "they hand files over",
    "NamedTemporaryFile": "they hand files over",
    "TemporaryDirectory": "they hand files over",
    "mkdtemp": "they hand files over",
    "chdir": "they change the working folder",
}
_ATTRIBUTES = {
    "__dict__": "they read a __dict__",
    "__code__": "they read code",
    "__globals__": "they reach for globals",
    "environ": "they use the environment",
    "modules": "they reach into sys.modules",
}
_MODULES = {
    "inspect": "they inspect the program",
    "pickle": "they pickle",
    "weakref": "they hold weak references",
    "gc": "they use the garbage collector",
    "tracemalloc": "they measure memory",
    "freezegun": "they change the clock",
    "time_machine": "they change the clock",
}
_STREAMS = ("stdin", "stdout", "stderr", "argv")


def reason_to_share(tree: ast.Module, module: str) -> str | None:
    """Why the program has to be in the tests' process, from their text alone; None where it has not."""
    return next(_reasons(tree, _imported(tree, module), module.partition(".")[0]), None)


def _imported(tree: ast.Module, module: str) -> set[str]:
    """The names in the tests that stand for something of the program, or for the program itself."""
    names: set[str] = set()
    root = module.partition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == root:
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.asname or root for alias in node.names if alias.name.partition(".")[0] == root}
    return names


def _reasons(tree: ast.Module, names: set[str], root: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from (_FIXTURES[arg.arg] for arg in node.args.args if arg.arg in _FIXTURES)
        elif isinstance(node, ast.ClassDef):
            if any(_first(base) in names for base in node.bases):
                yield "they grow a class from one of the program's"
        elif isinstance(node, ast.Call | ast.withitem):
            yield from _of_call(node)
        elif isinstance(node, ast.Attribute):
            if node.attr in _ATTRIBUTES and (node.attr != "modules" or _first(node) == "sys"):
                yield _ATTRIBUTES[node.attr]
            if isinstance(node.ctx, ast.Store) and _first(node) == "sys" and node.attr in _STREAMS:
                yield f"they set sys.{node.attr}"
        elif isinstance(node, ast.Import | ast.ImportFrom):
            told = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            found = (part.partition(".")[0] for part in told)
            yield from (_MODULES[part] for part in found if part in _MODULES and part != root)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for mark in node.decorator_list:
                if "patch" in _parts(mark):
                    yield "they patch"


def _of_call(node: ast.Call | ast.withitem) -> Iterator[str]:
    call = node if isinstance(node, ast.Call) else node.context_expr
    if isinstance(call, ast.Call):
        parts = _parts(call.func)
        if "patch" in parts:
            yield "they patch"
        if parts and parts[-1] in _CALLS:
            yield _CALLS[parts[-1]]
        if (
            parts
            and parts[-1] == "open"
            and any(map(_writes, [*call.args[1:2], *(key.value for key in call.keywords)]))
        ):
            yield "they hand files over"


def _writes(mode: ast.expr) -> bool:
    return isinstance(mode, ast.Constant) and isinstance(mode.value, str) and bool(set("wax+") & set(mode.value))


def _first(node: ast.expr) -> str:
    parts = _parts(node)
    return parts[0] if parts else ""


def _parts(node: ast.expr) -> list[str]:
    """`a.b.c` as its names; what is called, where it is a call."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute | ast.Call):
        if isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        else:
            node = node.func
    return [node.id, *reversed(parts)] if isinstance(node, ast.Name) else list(reversed(parts))
