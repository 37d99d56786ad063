"""From the tests that a user names to a suite: what they call the program, and what they want of it."""

import ast
import re
import shlex
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from refiner.app.source import Source
from refiner.app.testfiles import TestFiles, root_of
from refiner.domain.code import Suite, is_test
from refiner.domain.errors import UsageError
from refiner.verify.syntax import parse, parsed
from refiner.verify.wanted import checked, has_test, modules, names_of, possible_modules

_USUAL = frozenset(("solution", "candidate", "answer", "program", "submission"))
_TOOLS = frozenset(("pytest", "hypothesis", "numpy", "pandas"))
_RELATIVE = re.compile(r"^([ \t]*from[ \t]+)(\.+)([\w.]*)(?=[ \t]+import\b)", re.MULTILINE)
_Place = tuple[str, str | None]
"""The name by which a module is imported, and the folder of the project that it needs around it."""


def suite_of(tests: Path | None, check: str | None, source: Source | None) -> Suite:
    """What a program must pass, by `--tests` (a file or a folder), by `--check`, or nothing by neither.

    The program's module is the name by which the tests import it: a dotted one for a file of a package, whose project
    is then the suite's folder. Raises NotFoundError for what is not there, and UsageError for tests that cannot be
    read or parsed or that test nothing.
    """
    if tests and check is not None:
        raise UsageError("give --tests or --check, not both: a command can run the tests itself")
    if check is not None:
        return _commanded(check, source)
    if tests is None:
        module, folder = _placed(source) if source else ("solution", None)
        return Suite(module=module, folder=folder)
    files = TestFiles.read(tests, source.path if source else None)
    trees = [_parsed(files, path) for path in files.tests]
    if not any(map(has_test, trees)):
        raise UsageError(f"{tests} has no test: write an assert, a test_… function or check(candidate)")
    module, folder = _module(files, trees, source)
    texts = {path: _absolute(text, path, module, files.texts) for path, text in files.texts.items()}
    helpers = [text for path, text in texts.items() if path not in files.tests]
    names = frozenset[str]().union(*(names_of(texts[path], module, helpers) for path in files.tests))
    waiting = [name for waits, name in map(checked, trees) if waits]
    entry_point = next(filter(None, waiting), None)
    if waiting and entry_point is None:
        entry_point = next(iter(names)) if len(names) == 1 else _only_function(source)
        if entry_point is None:
            raise UsageError(f"{tests} does not say which function check(candidate) is for: end it with check(NAME)")
    wanted = names | {entry_point} if entry_point else names
    own = f"{module.replace('.', '/')}.py"  # an old version of what is to be written
    kept = tuple(sorted((path, text) for path, text in texts.items() if path != own))
    return Suite(kept, module, entry_point, tuple(sorted(wanted)), folder)


def _absolute(text: str, path: str, module: str, texts: Mapping[str, str]) -> str:
    """A test with the program, and what lies beside it, imported by whole names: the package is not where tests run."""

    def named(found: re.Match[str]) -> str:
        folders = path.split("/")[: -len(found[2])]
        parts = [*folders, *found[3].split(".")] if found[3] else folders
        place, name = "/".join(parts), ".".join(parts)
        own = f"{place}.py" in texts or f"{place}/__init__.py" in texts
        return f"{found[1]}{name}" if name and (not own or name == module.rpartition(".")[0]) else found[0]

    return _RELATIVE.sub(named, text) if path.endswith(".py") else text


def _commanded(check: str, source: Source | None) -> Suite:
    try:
        words = shlex.split(check)
    except ValueError as error:
        raise UsageError(f"--check cannot be read as a command ({error}): {check}") from error
    if "{}" not in check:
        raise UsageError(f'--check has no {{}}, where the path of the program goes: --check "{check} {{}}"')
    module, folder = _placed(source) if source else ("solution", None)
    here = Path.cwd()
    # A program of the user's own that does the checking has to be there.
    local = any(not Path(word).is_absolute() and (here / word).is_file() for word in words)
    return Suite(module=module, folder=str(here) if local else folder, command=check)


def _parsed(files: TestFiles, path: str) -> ast.Module:
    try:
        return parse(files.texts[path])
    except SyntaxError as error:
        name = files.base / path if files.named.is_dir() else files.named
        raise UsageError(f"{name}, line {error.lineno or 1}: the tests do not parse: {error.msg}") from error


def _module(files: TestFiles, trees: Sequence[ast.Module], source: Source | None) -> _Place:
    if source is not None:
        named = {name for tree in trees for name in possible_modules(tree)}
        for name in sorted(named, key=lambda name: (-len(name), name)):
            if folder := _folder_of(source.path.resolve(), name):
                within = "." in name or source.path.stem == "__init__" or _has_neighbours(source, trees)
                return name, str(folder) if within else None
        module, package = _placed(source)
        if package:
            return module, package
        if module.isidentifier():
            return module, str(source.path.resolve().parent) if _has_neighbours(source, trees) else None
    own = {part for path in files.texts for part in PurePosixPath(path).with_suffix("").parts}
    known = own | sys.stdlib_module_names | _TOOLS
    strange = [name for tree in trees for name in modules(tree) if name.partition(".")[0] not in known]
    uses = Counter(strange)
    if not uses:
        tested = {PurePosixPath(path).stem.removeprefix("test_").removesuffix("_test") for path in files.tests}
        return next((name for tree in trees for name in modules(tree) if name in tested), "solution"), None
    return max(uses, key=lambda name: (name in _USUAL, not _installed(name), uses[name])), None


def _folder_of(path: Path, module: str) -> Path | None:
    """The folder from which a module's name leads to a file; None where it does not."""
    parts = tuple(module.split("."))
    place = path.parent if path.stem == "__init__" else path.with_suffix("")
    return place.parents[len(parts) - 1] if place.parts[-len(parts) :] == parts else None


def _placed(source: Source) -> _Place:
    """What a file is called by the packages around it; without one it needs no project."""
    path = source.path.resolve()
    root = root_of(path.parent)
    parts = path.relative_to(root).with_suffix("").parts
    parts = parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts
    return ".".join(parts), None if root == path.parent else str(root)


def _has_neighbours(source: Source, trees: Sequence[ast.Module]) -> bool:
    """Whether the program or its tests import a module that lies beside it."""
    own = parsed(source.text)
    names = {name.partition(".")[0] for tree in (*trees, *([own] if own else [])) for name in modules(tree)}
    beside = {path.stem for path in source.path.resolve().parent.glob("*.py") if not is_test(path.name)}
    return bool((names & beside) - sys.stdlib_module_names - {source.path.stem})


def _installed(module: str) -> bool:
    from importlib.machinery import PathFinder

    paths = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    return PathFinder.find_spec(module.partition(".")[0], paths) is not None


def _only_function(source: Source | None) -> str | None:
    tree = parsed(source.text) if source else None
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)] if tree else []
    return functions[0] if len(functions) == 1 else None
