"""The program under test as a module: imported by its dotted name, though it lies in no file."""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import linecache
import sys
import types
from collections.abc import Sequence

from . import place


def file_name(module: str) -> str:
    """What tracebacks call the program's file."""
    return module.replace(".", "/") + ".py"


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds one module; `fill` gives it what it holds. Packages around it that do not exist are made up, empty."""

    def __init__(self, name: str) -> None:
        self._name = name

    def fill(self, module: types.ModuleType) -> None:
        raise NotImplementedError

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name == self._name:
            spec = importlib.machinery.ModuleSpec(name, self, origin=file_name(name))
            spec.has_location = True
            return spec
        if self._name.startswith(name + ".") and importlib.machinery.PathFinder.find_spec(name, path) is None:
            return importlib.machinery.ModuleSpec(name, None, is_package=True)
        return None

    def exec_module(self, module: types.ModuleType) -> None:
        self.fill(module)

    def install(self) -> None:
        """From now on the name means this, also where another module of that name was imported before."""
        sys.meta_path.insert(0, self)
        for name in [known for known in sys.modules if known == self._name or known.startswith(self._name + ".")]:
            del sys.modules[name]


class Source(Finder):
    """The program itself."""

    def __init__(self, name: str, source: str) -> None:
        super().__init__(name)
        self._source = source.removeprefix("\ufeff")

    def fill(self, module: types.ModuleType) -> None:
        file = file_name(module.__name__)
        linecache.cache[file] = (len(self._source), None, self._source.splitlines(keepends=True), file)
        exec(compile(self._source, file, "exec", dont_inherit=True), module.__dict__)

    def get_source(self, name: str) -> str:
        return self._source


def reach_project() -> None:
    """Make the project's modules importable."""
    if place.project is not None and place.project not in sys.path:
        sys.path.insert(0, place.project)


def load(name: str, source: str) -> types.ModuleType:
    """Import the program. Raises whatever it raises, SyntaxError among it."""
    Source(name, source).install()
    reach_project()
    return importlib.import_module(name)
